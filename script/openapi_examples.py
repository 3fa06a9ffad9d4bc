"""Write the answers of the examples in the servers' OpenAPI documents anew, as a whole appliance gives them now."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.api_examples import write

if __name__ == "__main__":
    sys.exit(write())
