"""Routes of the appraisal's records (民主评议), stage by stage."""
