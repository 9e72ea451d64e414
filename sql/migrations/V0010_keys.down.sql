DROP INDEX allocation_key_released;
