DROP INDEX audit_subnet_renamed;
