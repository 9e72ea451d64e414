DROP TABLE schedule;
DROP TABLE job_event;
DROP TABLE job;
