"""Work on very many files: resumable, on one machine or on a cluster by Ray Data."""
