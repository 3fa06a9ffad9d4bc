"""The whole appliance on one machine: one supervisord that runs what the images run. What `script/up` and `script/down` do."""
