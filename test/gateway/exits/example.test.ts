import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { parseGatewayConfig } from '../../../src/gateway/config/config.ts';
import { pacKey, parsePacResult } from '../../../src/gateway/exits/pac-result.ts';
import { PacScript } from '../../../src/gateway/exits/pac-script.ts';
import { policyNames } from '../../../src/gateway/policies/open-policies.ts';
import { parsePolicy } from '../../../src/policy/parse-policy.ts';
import type { Rule } from '../../../src/policy/rule.ts';

const read = (name: string): Promise<string> =>
  readFile(new URL(`../../../examples/${name}`, import.meta.url), 'utf8');

test('the example says by which way each of its hosts goes out, and its script names proxies that it lists', async () => {
  const parsed = parseGatewayConfig(
    { file: 'gateway-exits.yaml', text: await read('gateway-exits.yaml') },
    '/',
  );
  if ('problems' in parsed) assert.fail(JSON.stringify(parsed.problems));
  const { config } = parsed;
  const { discover: _, ...names } = policyNames(config);
  const result = parsePolicy([{ file: 'policy-exits.yaml', text: await read('policy-exits.yaml') }], names);
  if ('problems' in result) assert.fail(JSON.stringify(result.problems));
  for (const [host, exit] of [
    ['api.partner.example.net', 'partner'],
    ['allowlisted.example.org', 'office'],
    ['one.lab.example.com', 'lab'],
    ['intra.example.com', 'direct'],
    ['docs.example.org', undefined],
  ] as const) {
    const rule: Rule | undefined = result.policy.rules.find(({ hosts }) =>
      JSON.stringify(hosts).includes(host.replace('one.', '')),
    );
    assert.equal(rule?.exit, exit, host);
  }
  const { pac } = config.upstream.exits['company'] ?? {};
  const listed = new Set(
    pac?.proxies.map(({ url }) => pacKey('http', new URL(url).hostname, Number(new URL(url).port))),
  );
  using script = new PacScript({
    script: await read('exits.pac'),
    limits: { ...config.limits, pacTimeoutMs: 60_000 },
    resolve: () => Promise.resolve(null),
    ownAddress: () => '127.0.0.1',
  });
  for (const [host, first] of [
    ['docs.example.org', 'http spare.example.com:3128'],
    ['www.example.net', 'http proxy.example.com:3128'],
  ] as const) {
    const reading = await script.find('p', { url: `https://${host}/`, host });
    if (reading.kind !== 'found') assert.fail(reading.reason);
    const keys = parsePacResult(reading.text).map((hop) => (hop.kind === 'proxy' ? hop.key : ''));
    assert.equal(keys[0], first);
    assert.ok(keys.length === 2 && keys.every((key) => listed.has(key)));
  }
});

test('a rule that names an exit which there is not is refused, and so is one that denies', async () => {
  for (const [rule, message] of [
    ['exit: nowhere', /there is no exit "nowhere" in the gateway's configuration; it has one, and direct/],
    ['exit: direct\n    deny: true', /no meaning in a rule that denies/],
  ] as const) {
    const text = `version: 1\nrules:\n  - name: a\n    hosts: a.example.com\n    ${rule}\n`;
    const result = parsePolicy([{ file: 'p.yaml', text }], { exits: ['one'] });
    assert.ok('problems' in result);
    assert.match(result.problems.map((problem) => problem.message).join(), message);
  }
  const text = 'version: 1\nrules:\n  - name: a\n    hosts: a.example.com\n    exit: direct\n';
  const narrowing = parsePolicy([{ file: 'p.yaml', text }], { exits: ['one'], isNarrowing: true });
  assert.ok('problems' in narrowing);
});
