// No regular expression that a peer's input could make slow: each is proven linear, or an exception says why it may stay.

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { parseSync } from 'oxc-parser';

import { unprovenReason } from './support/expression-analysis.ts';

const root = new URL('..', import.meta.url);

/** Why an expression that is not proven linear may stay: what it reads is written by the operator, or short. */
const exceptions: Readonly<Record<string, string>> = {
  'src/cli/run/state-directory.ts /Z-([0-9a-f]{8}-\\d+-\\d+)-[0-9a-f]{8}$/': 'names of folders that run made',
  'src/cli/policy/git-accesses.ts /\\/+$/': "an operator's own argument",
  'src/cli/operator/access.ts /\\.\\d+Z$/': 'a time that Date made',
  'src/cli/operator/session.ts /\\.\\d+Z$/': 'a time that Date made',
  'src/cli/gateway/policy-warnings.ts /^(.*):(\\d+)$/s': 'places of rules that the reader made',
  'src/policy/host-pattern.ts /^\\[.*\\]$/': 'hosts of a policy',
  'src/policy/host-pattern.ts /:\\d*$/': 'hosts of a policy',
  'src/policy/public-suffix.ts /^s3([.-][a-z0-9-]+)+\\.amazonaws\\.com$/': 'hosts of a policy',
  'src/policy/rule-index.ts /\\.\\d+$/': 'a canonical host, of 253 characters at most',
  'src/net/origin-certificate.ts /(?:^|, )((?:"(?:[^"\\\\]|\\\\.)*"|[^",])*)/g':
    "names of a certificate as Node writes them, with every quote closed; a handshake's certificates are bounded",
  'src/net/origin-chain.ts /-----BEGIN (?:X509 )?CERTIFICATE-----[^-]+-----END (?:X509 )?CERTIFICATE-----/g':
    'certificates of the configuration',
  'src/net/system-trust.ts /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\\s]+-----END CERTIFICATE-----/g':
    "the system's own trust",
  'src/net/system-trust.ts /-----[A-Z ]+-----|\\s/g': "the system's own trust",
  'src/gateway/sessions/session-token-parts.ts /"(?:[^"\\\\]|\\\\.)*"|[{}[\\]:]/g':
    'a text that JSON.parse has taken, so every quote is closed, of tokenBytesMax at most',
  'src/gateway/policies/discover-hosts.ts /(?:^|\\.)(?:extra-)?index-url=(.*)$/': "the operator's own tools",
  'src/gateway/policies/discover-hosts.ts /^remote\\..*\\.(?:push)?url=(.*)$/': "the operator's own tools",
  'src/gateway/policies/discover-hosts.ts /^url\\.(.*)\\.(?:push)?insteadof=/': "the operator's own tools",
  'src/gateway/policies/discover-hosts.ts /^[\\w.-]+\\.[\\w-]+$/': "the operator's own tools",
  'src/gateway/config/config-check.ts /^postgres(ql)?:\\/\\/[^/]*:[^/]*@/': 'the configuration',
  'src/gateway/config/config-check.ts /^\\[(.+)\\](?::\\d+)?$/': 'the configuration',
  'src/gateway/config/config-check.ts /:\\d+$/': 'the configuration',
};

interface Found {
  readonly key: string;
  readonly reason: string | undefined;
}

function expressionsOf(file: string): readonly Found[] {
  const { program } = parseSync(file, readFileSync(new URL(file, root), 'utf8'));
  const found: Found[] = [];
  const walk = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(walk);
    if (typeof node !== 'object' || node === null) return;
    if ('regex' in node) {
      // oxc's form of a literal.
      const { pattern, flags } = node.regex as { pattern: string; flags: string };
      found.push({ key: `${file} /${pattern}/${flags}`, reason: unprovenReason(pattern, flags) });
    }
    for (const value of Object.values(node)) walk(value);
  };
  walk(program);
  return found;
}

const files = globSync('src/{http,gateway,net,protocol,policy,intercept,cli}/**/*.ts', {
  cwd: root.pathname,
}).toSorted();

test('every regular expression on the way of a request is proven linear, or says why it is none of a peer', () => {
  const all = files.flatMap(expressionsOf);
  assert.ok(all.length > 150, `only ${all.length} expressions were seen`);
  const unproven = all.filter(({ key, reason }) => reason !== undefined && exceptions[key] === undefined);
  assert.deepEqual(
    unproven.map(({ key, reason }) => `${key}: ${reason}`),
    [],
  );
  const known = new Set(all.filter(({ reason }) => reason !== undefined).map(({ key }) => key));
  assert.deepEqual(
    Object.keys(exceptions).filter((key) => !known.has(key)),
    [],
    'exceptions that there is nothing for',
  );
});

test('expressions that are made of texts are these', () => {
  const made = files.filter((file) => /\bRegExp\(/.test(readFileSync(new URL(file, root), 'utf8')));
  // Of texts of the source: sequences of UTF-8, and paths that the gateway itself serves.
  assert.deepEqual(made, ['src/gateway/exchange/doctor-response.ts', 'src/http/request-target.ts']);
});

test('the analysis finds what is slow, and takes what is not', () => {
  const slow = [
    '(a+)+$',
    '^(?:a|a)*$',
    '^a*a*$',
    '\\s+$',
    '^[\\t ]+|[\\t ]+$',
    '^(?:a|ab)*c$',
    'x*y',
    '^a.*b.*c$',
    '^(?:a|b|ab)*c$',
    '[ \\t]*;[ \\t]*charset',
    '"[^"]*"',
    '^(.*),(.*)$',
    '(?=.*a)b',
    '(a)\\1*',
  ];
  for (const source of slow) assert.notEqual(unprovenReason(source, ''), undefined, source);
  assert.notEqual(unprovenReason('^[a-z]*[B-Z]*!', 'i'), undefined);
  const linear = [
    '^\\d+(?:\\.\\d+)*$',
    'a+',
    '^([^/]*)\\/(.*)$',
    '[^\\x20-\\x7e]',
    '^a{3,9}b{2}$',
    '%(?![0-9A-F]{2})',
    'a|b|c',
  ];
  for (const source of linear) assert.equal(unprovenReason(source, ''), undefined, source);
});
