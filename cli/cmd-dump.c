int xt_cmd_dump(int argc, char **argv);
int xt_cmd_dump(int argc, char **argv) { return 2; }
