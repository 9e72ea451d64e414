DROP TABLE nic_address, nic, vm, portgroup, switch_host, switch, pnic, host, account;
