"""The gateway's data plane: mail is taken, filtered and delivered as the committed configuration says."""
