// What `policy check` and `gateway --check` say of files: what the reader found, and rules whose time is over.

import { splitNumber } from '../../http/digits-at-end.ts';
import type { PolicySource } from '../../gateway/policies/policy-source.ts';
import { CompiledPolicy } from '../../policy/compiled-policy.ts';
import { formatHostPattern, type HostPattern } from '../../policy/host-pattern.ts';
import { InvalidFilesError, type PolicyProblem } from '../../policy/problem.ts';
import type { Rule } from '../../policy/rule.ts';
import { isPermitted } from '../../pki/permitted-names.ts';
import { asProxyError } from '../../protocol/error.ts';
import { painted, standardOutput } from '../terminal/terminal-stream.ts';
import { harmlessText } from '../terminal/text-table.ts';

/** One finding, as `--json` prints it. Its place is as exact as it is known. */
export type CheckProblem = Pick<PolicyProblem, 'message' | 'severity'> &
  Partial<Pick<PolicyProblem, 'file' | 'line' | 'column'>>;

export interface WarningOptions {
  readonly nowMs: number;
  /** Those that the authority may certify; undefined: every name. */
  readonly names?: readonly string[] | undefined;
}

export function policyWarnings(
  source: PolicySource,
  { nowMs, names }: WarningOptions,
): readonly CheckProblem[] {
  const { current, state } = source;
  const rules = current instanceof CompiledPolicy ? current.rules : [];
  const expired = rules.flatMap(({ expiresMs, reference }): CheckProblem[] => {
    if (expiresMs === undefined || expiresMs > nowMs) return [];
    const when = new Date(expiresMs).toISOString();
    return [
      warningAt(
        reference,
        `the rule ${reference.name} expired at ${when} and does nothing; remove it, or give it more time`,
      ),
    ];
  });
  return [...state.warnings, ...expired, ...(names === undefined ? [] : outsideOf(rules, names))];
}

function warningAt({ place = 'policy' }: Rule['reference'], message: string): CheckProblem {
  const found = splitNumber(place, ':');
  const line = found === undefined ? {} : { line: Number(found.digits) };
  return { severity: 'warning', message, file: found?.before ?? place, ...line };
}

/** Rules that open hosts which the authority may not certify: clients refuse the certificate before they send anything. */
function outsideOf(rules: readonly Rule[], names: readonly string[]): readonly CheckProblem[] {
  return rules.flatMap(({ effect, handling, hosts, reference }): CheckProblem[] => {
    if (effect !== 'allow' || handling !== 'intercept') return [];
    const outside = hosts.filter((host) => !isInside(host, names)).map(formatHostPattern);
    if (outside.length === 0) return [];
    const shown = `${outside.slice(0, 3).join(', ')}${outside.length > 3 ? ` and ${outside.length - 3} more` : ''}`;
    const message = `the rule ${reference.name} is for ${shown}, outside of certificateAuthority.names: where TLS ends in the gateway, clients fail with an error of certificates, and see no denial`;
    return [warningAt(reference, message)];
  });
}

function isInside(host: HostPattern, names: readonly string[]): boolean {
  if (host.kind === 'any') return false;
  if (host.kind === 'suffix') return isPermitted(host.suffix, names);
  return !host.isAddress && isPermitted(host.host, names);
}

/** The form of `formatProblem`, with as much of the place as there is, for standard output. */
export function problemText({ file, line, column, severity, message }: CheckProblem): string {
  const look = severity === 'error' ? 'bad' : 'doubtful';
  const told = `${painted(standardOutput(), look, `${severity}:`)} ${harmlessText(message)}`;
  const place = [file, line, column].filter((part) => part !== undefined).join(':');
  return place === '' ? told : `${harmlessText(place)}: ${told}`;
}

/** What is wrong with the files that were to be read. Throws again what is no fault of theirs. */
export function problemsOf(thrown: unknown): readonly CheckProblem[] {
  if (thrown instanceof InvalidFilesError) return thrown.problems;
  const { code, message } = asProxyError(thrown);
  if (code !== 'config_invalid') throw thrown;
  return [{ severity: 'error', message }];
}
