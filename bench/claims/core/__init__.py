"""What every claim needs: runs and their files, paired comparisons, replications, pages."""
