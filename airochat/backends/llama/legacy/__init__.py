"""Model files from before GGUF (GGJT, spring and summer of 2023), turned into GGUF without loss."""
