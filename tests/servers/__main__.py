"""`python -m tests.servers NAME...` builds what is missing of the builds with these names."""

import sys

from tests.servers.building import BUILDS
from tests.servers.process import ServerUnavailable

for name in sys.argv[1:]:
    try:
        BUILDS[name].ensure()
    except ServerUnavailable as unavailable:
        print(unavailable, file=sys.stderr)
