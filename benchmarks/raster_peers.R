# A forest of ranger, grown when this begins, predicts a map through terra as often as raster_peers.py asks.
#
# Rscript raster_peers.R FOLDER TASK TREES MTRY: FOLDER holds covariate_*.tif and rows.csv, whose last column is what is
# predicted. Each line of the input is a number of parts to predict in, and is answered by the seconds of processor.
suppressPackageStartupMessages({
  library(terra)
  library(ranger)
})
asked <- commandArgs(trailingOnly = TRUE)
folder <- asked[1]
task <- asked[2]
rows <- read.csv(file.path(folder, "rows.csv"))
names <- setdiff(colnames(rows), "value")
if (task == "class") rows$value <- factor(rows$value > 0)
# Trees are grown to the end, as scikit-learn's are.
forest <- ranger(
  dependent.variable.name = "value", data = rows, num.trees = as.integer(asked[3]), mtry = as.integer(asked[4]),
  min.node.size = 1, probability = task == "class", num.threads = 1, seed = 1
)
said <- function(model, data, ...) {
  found <- predict(model, data, num.threads = 1, verbose = FALSE)$predictions
  if (is.matrix(found)) found[, "TRUE"] else found
}
input <- file("stdin")
open(input)
while (length(line <- readLines(input, n = 1)) > 0) {
  terraOptions(progress = 0, steps = as.integer(line))
  begun <- proc.time()
  stack <- rast(file.path(folder, paste0(names, ".tif")))
  names(stack) <- names
  done <- predict(
    stack, forest, fun = said, na.rm = TRUE, cores = 1, filename = file.path(folder, paste0("terra_", task, ".tif")),
    overwrite = TRUE, wopt = list(datatype = "FLT4S", gdal = c("COMPRESS=DEFLATE", "TILED=YES"))
  )
  spent <- proc.time() - begun
  cat(spent["user.self"] + spent["sys.self"], "\n")
}
