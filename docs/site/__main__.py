"""`make docs`: build the site and say where it is."""

import sys

from docs.site.build import ROOT, Unsound, build


def main() -> int:
    try:
        html = build()
    except Unsound as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{(html / 'index.html').relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
