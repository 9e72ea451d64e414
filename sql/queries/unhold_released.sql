-- Frees the pairs for whoever reports them; what nobody takes is put into quarantine at the end.
DELETE FROM address a USING released r
WHERE a.subnet_id = r.subnet_id AND a.ip = r.ip AND a.state = 'held' AND a.account_id = r.account_id
    AND a.owner = r.owner AND a.owner_id = r.owner_id AND a.device = r.device
