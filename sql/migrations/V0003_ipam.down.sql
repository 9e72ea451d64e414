DROP VIEW unplaced, vanished, nic_attachment;
DROP FUNCTION vlan_matches(text, int, int4multirange, int, int);
DROP TABLE placement, address, link_support, link, pool, subnet, wire;
