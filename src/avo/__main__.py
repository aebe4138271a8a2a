"""Entry point of `avo` and `python -m avo`: handles Ctrl-C before anything slow is imported."""

from __future__ import annotations

import signal

from avo import interrupt


def main() -> None:
    """Run a command."""
    try:
        interrupt.heed()
        from avo.cli import main as run  # now that Ctrl-C is heeded

        run()
    except KeyboardInterrupt:
        interrupt.leave()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is said; Python gives it its default effect while it ends


if __name__ == "__main__":
    main()
