/* The conformance sink: how each rule fared, what kind of server each VCPU is, and the first violations of every rule. */
#pragma once

#include "parse/sink.h"

struct xt_findings;

/* Keeps at most that many violations of each rule; all are counted. */
struct xt_findings *xt_findings_new(unsigned most_per_rule);
void xt_findings_free(struct xt_findings *findings);
const struct xt_sink *xt_findings_sink(struct xt_findings *findings);

/* After the run has ended; NULL past the last. VCPUs in them live as long as findings. */
const struct xt_rule_result *xt_findings_rule(const struct xt_findings *findings, unsigned i);
const struct xt_server *xt_findings_server(const struct xt_findings *findings, unsigned i);
const struct xt_violation *xt_findings_violation(const struct xt_findings *findings, unsigned i);
