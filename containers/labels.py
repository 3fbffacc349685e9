"""What Gradwire's containers carry: by these they are told from everybody else's."""

from __future__ import annotations

RUN = "gradwire.run"  # the run's id
SPOOL = "gradwire.spool"  # the run's spool folder, which says whether the run still lives
NETWORK = "gradwire.network"  # the containers that are up together
IMAGE = "gradwire.image"
