// Calls of a tool that no rule lets through, written in every way that could hide them: where a parser of another language sees the call, the
// decision is a denial, by a rule that denies the tool and by one that allows another tool alone.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { askedRequest, withAskedBody } from '../../src/gateway/policies/asked-access.ts';
import { seeded } from '../support/seeded.ts';
import { nowMs, policyOf, principal } from '../policy/fixture.ts';
import { readerNames, readWith } from './support/readers.ts';

const policies = {
  denies: policyOf(`rules:
  - { name: all, hosts: mcp.test, paths: /mcp, mcp: { tools: "*", methods: "*", resources: "*", prompts: "*", input: allow } }
  - { name: never, hosts: mcp.test, paths: /mcp, deny: true, mcp: { tools: "delete_*" } }`),
  allows: policyOf(`rules: [{ name: some, hosts: mcp.test, paths: /mcp, mcp: { tools: search } }]`),
};

const count = 2000;

/** Messages, most of them calls, with something wrong in some. */
function bodies(seed: number): readonly Buffer[] {
  const random = seeded(seed);
  const below = (max: number): number => Math.floor(random() * max);
  const pick = <T>(of: readonly T[]): T => of[below(of.length)]!;
  const escaped = (text: string): string =>
    [...text]
      .map((one) =>
        below(200) === 0 ? String.raw`\u${one.charCodeAt(0).toString(16).padStart(4, '0')}` : one,
      )
      .join('');
  const seldom = (usual: string, odd: readonly string[]): string => (below(25) === 0 ? pick(odd) : usual);
  const key = (name: string): string =>
    `"${seldom(escaped(name), [escaped(escaped(name)), name.toUpperCase(), name.replace('s', 'ſ'), `${name} `, `${name}\\u0000`])}"`;
  const tool = (): string =>
    `"${escaped(pick(['search', 'delete_repo', 'delete_repo', 'Delete_repo', 'delete_repo\\u0000']))}"`;
  const blank = (): string => seldom(pick(['', ' ', '\n', '\t']), ['/**/', '\u00a0']);
  const member = (name: string, value: string): string =>
    `${blank()}${key(name)}${blank()}:${blank()}${value}`;
  const shuffled = (parts: readonly string[]): string => parts.toSorted(() => random() - 0.5).join(',');
  const object = (parts: readonly string[]): string => `{${shuffled(parts)}${below(40) === 0 ? ',' : ''}}`;
  const twice = (make: () => string): string[] => (below(25) === 0 ? [make(), make()] : [make()]);
  const message = (): string => {
    const method = (): string =>
      member('method', seldom('"tools/call"', ['"tools/list"', '"tools\\/call"', '"TOOLS/CALL"']));
    const params = (): string =>
      member('params', object([...twice(() => member('name', tool())), member('arguments', '{}')]));
    return object([
      ...twice(() => member('jsonrpc', '"2.0"')),
      member('id', '1'),
      ...twice(method),
      ...twice(params),
    ]);
  };
  return Array.from({ length: count }, () => {
    const one = below(20) === 0 ? `[${message()},${message()}]` : message();
    const text = seldom('', ['\ufeff', '//\n']) + one + seldom(pick(['', '\n']), ['{}', ' x', '\u0000']);
    return Buffer.from(text, below(60) === 0 ? 'utf16le' : 'utf8');
  });
}

const hex = (text: string): string => Buffer.from(text).toString('hex');
const [method, name] = [hex('method'), hex('name')];

/** Whether what a parser made of it can be taken for a call of the tool; names of members and of tools in any letter case. */
function callsIt(dump: string): boolean {
  const folded = dump.replaceAll(/[0-9a-f]{2,}/g, (one) =>
    hex(
      Buffer.from(one, 'hex')
        .toString()
        .replaceAll('ſ', 's')
        .toLowerCase()
        .replaceAll(/[ \0]+$/g, ''),
    ),
  );
  return (
    folded.includes(`${method}:s${hex('tools/call')}`) && folded.includes(`${name}:s${hex('delete_repo')}`)
  );
}

describe(`of ${count} messages, a call that somebody sees is denied`, () => {
  const all = bodies(20_261_127);
  const decide = async (body: Buffer): Promise<Readonly<Record<keyof typeof policies, boolean>>> => {
    const access = await withAskedBody(askedRequest('POST', 'https://mcp.test/mcp'), body, 100_000);
    const isAllowed = (one: keyof typeof policies): boolean =>
      policies[one].decide(principal(), access, nowMs).effect === 'allow';
    return { denies: isAllowed('denies'), allows: isAllowed('allows') };
  };

  for (const reader of readerNames)
    test(reader, async (context) => {
      if (reader === 'go' && process.env['TEST_UNDERSTANDING'] === undefined) {
        context.skip('go is for npm run test:understanding');
        return;
      }
      const read = await readWith(reader, all);
      if (read === undefined) {
        context.skip(`${reader} is not installed`);
        return;
      }
      let [seen, passed] = [0, 0];
      for (const [at, body] of all.entries()) {
        const allowed = await decide(body);
        if (allowed.denies || allowed.allows) passed += 1;
        if (!callsIt(read[at] ?? '-')) continue;
        seen += 1;
        assert.deepEqual(allowed, { denies: false, allows: false }, body.toString());
      }
      context.diagnostic(`${seen} calls seen, ${passed} messages pass`);
      assert.ok(seen > 100 && passed > 20, `${seen} ${passed}`);
    });
});
