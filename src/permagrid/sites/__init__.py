"""Site tables: readers, quality flags, reduction to site and epoch, labels, sampling."""
