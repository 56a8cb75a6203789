"""A mission of our invention: Sample, with two telescopes and a catalogue of its own."""
