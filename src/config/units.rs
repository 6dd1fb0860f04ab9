//! Quantities with units, as the settings file writes them: `"64 KiB"`, `"10 s"`.
