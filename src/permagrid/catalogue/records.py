"""What the catalogue records of a data set, of its variables and of the login that it asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from permagrid.errors import PermagridError, did_you_mean

VERSION = "2026-11"
"""State of the catalogue; goes into the record beside fetched files."""

Access = Literal["files", "tiles", "box", "stac", "pangaea", "by hand"]
"""How files are had: by their names, as tiles of one degree, cut out by a server, by a search, as the table
of a PANGAEA data set, or only by people."""


@dataclass(frozen=True)
class Licence:
    """Terms of use, in a few words, and where they stand in full."""

    name: str
    """Such as ``CC BY 4.0``."""
    url: str = ""
    """Page with the terms."""


@dataclass(frozen=True)
class Credential:
    """A login that a provider asks for; it comes from environment variables only."""

    token: str
    """Variable that holds a token or key."""
    header: str = "Authorization"
    """Header in which it is sent; in ``Authorization`` as a bearer token."""
    hosts: tuple[str, ...] = ()
    """Hosts to which the token is sent, each with all below it; never to another one."""
    login: tuple[str, str] | None = None
    """Variables with a user name and a password, where these do as well."""
    login_hosts: tuple[str, ...] = ()
    """Hosts to which name and password are sent."""
    home: str = ""
    """Where people get it."""
    required: bool = True
    """Whether nothing is had without it."""

    @property
    def words(self) -> str:
        """Names of the variables, as a sentence says them."""
        other = f", or {' and '.join(self.login)}" if self.login else ""
        return f"{self.token}{other}"


CREDENTIALS: dict[str, Credential] = {
    "earthdata": Credential(
        "EARTHDATA_TOKEN",
        hosts=("earthdata.nasa.gov", "earthdatacloud.nasa.gov"),
        login=("EARTHDATA_USERNAME", "EARTHDATA_PASSWORD"),
        login_hosts=("urs.earthdata.nasa.gov",),
        home="https://urs.earthdata.nasa.gov",
    ),
    "planetary computer": Credential(
        "PC_SDK_SUBSCRIPTION_KEY",
        header="Ocp-Apim-Subscription-Key",
        hosts=("planetarycomputer.microsoft.com",),
        home="https://planetarycomputer.microsoft.com",
        required=False,
    ),
}
"""Login -> how it is given."""


@dataclass(frozen=True)
class Variable:
    """One layer of a data set, and the covariate that a study makes of it."""

    name: str
    """Name of the covariate."""
    unit: str
    """Unit that learners and maps see."""
    long_name: str
    """What people call it."""
    stored_unit: str = ""
    """Unit of the numbers in the file, where it is another one."""
    kind: Literal["continuous", "class"] = "continuous"
    """Values or codes."""
    group: str = ""
    """Name for all variables of one element, such as the twelve months of one temperature."""
    fills: Mapping[str, str] = field(default_factory=dict)
    """What stands for placeholders in names of files; ``asset`` is the one of a STAC item."""
    keywords: Mapping[str, Any] = field(default_factory=dict)
    """Keywords of the covariate's method, such as the name of the variable in a NetCDF file."""


@dataclass(frozen=True)
class Layout:
    """How files are named, with placeholders in braces.

    ``resolution``, ``dashed`` (2-5m for 2.5m), ``metres`` (1000 for 1000m), ``year``, ``span``, ``item`` and
    ``file`` (of a search), and what the variables fill in.
    """

    url: str
    """Address of the file, or of the archive that holds it, after the base of the source."""
    file: str
    """Name within the folder of the source, once fetched."""
    access: Access = "files"
    """How the files are had."""
    base: str = ""
    """Address before all others, where it is not that of the source."""


@dataclass(frozen=True)
class Stac:
    """How a SpatioTemporal Asset Catalogue is asked."""

    collection: str
    """Collection of the items."""
    signing: str = ""
    """Address that signs the links of items for a short time, where they need it."""
    cloud: bool = False
    """Whether items tell their cloud cover."""
    beginning: str = ""
    """Beginning of the identifiers of items that count, where the collection holds others as well."""


@dataclass(frozen=True)
class Source:
    """A data set."""

    name: str
    """Name in studies and on the command line."""
    title: str
    """What it is, with its version."""
    variables: tuple[Variable, ...]
    """Its layers; none where the data set is a table."""
    licence: Licence
    """Terms of use."""
    citation: str
    """How to cite it."""
    doi: str = ""
    """DOI of the data or of the paper that describes them."""
    home: str = ""
    """Page of the data set."""
    base: str = ""
    """Address before all others; a mirror takes its place."""
    layout: Layout = Layout("", "")
    """Names of the files."""
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    """Resolution -> names, where they differ."""
    resolutions: tuple[str, ...] = ()
    """Resolutions to choose from, the coarsest first; it is the one taken if none is named."""
    years: tuple[int, int] | None = None
    """First and last year that the data cover; None for what does not change."""
    static: bool = False
    """Whether it is a climatology, which stands for every epoch."""
    spans: tuple[tuple[int, int, str], ...] = ()
    """First year, last year, and what ``span`` stands for in these years."""
    stac: Stac | None = None
    """How its items are searched, where they are."""
    credential: str = ""
    """Login in `CREDENTIALS`, where one is asked for."""
    method: str = "raster"
    """Covariate method that reads the files."""
    needs: Mapping[str, str] = field(default_factory=dict)
    """Keyword that a study must add -> what it says, with an example."""
    covariates: bool = True
    """Whether a study may name it among its covariates: each variable is one raster or series of them."""
    notes: tuple[str, ...] = ()
    """What a user should know."""
    verified: bool = True
    """Whether pages of the provider, or public code that downloads from there, were seen to give the address.
    None was opened when the catalogue was written."""

    @property
    def cited(self) -> str:
        """How to cite the data set, with its DOI."""
        return f"{self.citation}, doi:{self.doi}" if self.doi else self.citation

    def layout_at(self, resolution: str) -> Layout:
        """Return how files of a resolution are named."""
        return self.layouts.get(resolution, self.layout)

    def resolution_of(self, wanted: str | None) -> str:
        """Return the resolution that is wanted, or the first one; empty where there is no choice.

        Raises
        ------
        PermagridError
            If the source does not have it.
        """
        if wanted is None:
            return self.resolutions[0] if self.resolutions else ""
        if wanted not in self.resolutions:
            allowed = did_you_mean(wanted, self.resolutions) if self.resolutions else "it has one only"
            raise PermagridError(f"{self.name} has no resolution {wanted!r}: {allowed}")
        return wanted

    def chosen(self, wanted: Sequence[str] | None) -> tuple[Variable, ...]:
        """Return the variables of these names or groups, in the order of the source; all if None.

        Raises
        ------
        PermagridError
            If the source has no such variable.
        """
        if wanted is None:
            return self.variables
        names = [variable.name for variable in self.variables]
        groups = [variable.group for variable in self.variables if variable.group]
        for name in wanted:
            if name not in (*names, *groups):
                allowed = did_you_mean(name, list(dict.fromkeys(groups)) or names)
                raise PermagridError(f"{self.name} has no variable {name!r}: {allowed}")
        return tuple(each for each in self.variables if each.name in wanted or each.group in wanted)
