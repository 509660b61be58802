// Short ways to a policy, a principal and an access for the tests of this folder.

import assert from 'node:assert/strict';
import { HeaderList } from '../../src/http/header-list.ts';
import type { Destination } from '../../src/http/destination.ts';
import type { CompiledPolicy } from '../../src/policy/compiled-policy.ts';
import type { AccessRequest, Principal } from '../../src/policy/decision.ts';
import { parsePolicy, type ParsePolicyOptions } from '../../src/policy/parse-policy.ts';
import { formatProblem } from '../../src/policy/problem.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { UnreadableBody } from '../../src/understand/json-value.ts';
import type { ReadBody } from '../../src/understand/read-body.ts';
import { readJson } from '../../src/understand/read-json.ts';

export const nowMs = Date.parse('2030-01-01T00:00:00Z');

/** A policy that must be sound. */
export function policyOf(text: string | readonly string[], options?: ParsePolicyOptions): CompiledPolicy {
  const texts = typeof text === 'string' ? [text] : text;
  const sources = texts.map((one, i) => ({
    file: texts.length === 1 ? 'policy.yaml' : `policy-${i}.yaml`,
    text: one,
  }));
  const result = parsePolicy(sources, options);
  if ('problems' in result) assert.fail(result.problems.map(formatProblem).join('\n'));
  return result.policy;
}

/** Every problem or warning of a text, as lines. */
export function problemsOf(
  text: string | readonly string[],
  options?: ParsePolicyOptions,
): readonly string[] {
  const texts = typeof text === 'string' ? [text] : text;
  const sources = texts.map((one, i) => ({ file: texts.length === 1 ? 'p' : `p${i}`, text: one }));
  const result = parsePolicy(sources, options);
  return ('problems' in result ? result.problems : result.warnings).map(formatProblem);
}

export function principal(overrides: Partial<Principal> = {}): Principal {
  return { id: 'issuer|subject', sessionId: 'session', claims: {}, posture: [], ...overrides };
}

/** `GET https://host/path`, or `https://host` and `host:22` for a connection. */
export function access(text: string): AccessRequest {
  const [, method, scheme = 'tcp', host = '', port, path] =
    /^(?:([A-Z]+) )?(?:(https?|udp):\/\/)?(\[[^\]]*\]|[^/:]*)(?::(\d+))?(\/.*)?$/.exec(text) ?? [];
  assert.ok(scheme === 'http' || scheme === 'https' || scheme === 'tcp' || scheme === 'udp');
  const bare = host.startsWith('[') ? host.slice(1, -1) : host;
  const destination: Destination = {
    scheme,
    host: bare,
    port: Number(port ?? (scheme === 'http' ? 80 : 443)),
  };
  if (method === undefined) return { depth: 'connect', destination };
  return { depth: 'request', destination, method, path: path ?? '/', query: '', headers: new HeaderList() };
}

/** A body that was read, or why it could not be. */
export function jsonBody(text: string | Uint8Array): ReadBody {
  const octets = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  const { jsonDepthMax: depthMax, jsonValuesMax: valuesMax } = defaultLimits;
  const read = readJson(octets, { depthMax, valuesMax });
  if (read instanceof UnreadableBody) return { kind: 'unreadable', reason: read.reason };
  return { kind: 'json', value: read.value, octets: octets.length };
}

/** `allow rule`, `deny rule`; a connection adds its handling. */
export function verdict(policy: CompiledPolicy, text: string, who: Principal = principal()): string {
  const asked = access(text);
  const decision = policy.decide(who, asked, nowMs);
  const handling = decision.effect === 'allow' && asked.depth === 'connect' ? ` ${decision.handling}` : '';
  return `${decision.effect} ${decision.rule.name}${handling}`;
}
