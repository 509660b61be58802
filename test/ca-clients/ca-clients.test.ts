import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { createServer } from 'node:https';

import { temporaryDirectory } from '../support/temporary-directory.ts';
import { type Bound, chainFor, permitted } from './chains.ts';
import { isTaken, type Stack, stacks, whyNot } from './stacks.ts';

const skip = process.env['TEST_CA_CLIENTS'] === undefined ? 'npm run test:ca-clients runs it' : false;
const reference = new URL('../../docs/reference/certificates.md', import.meta.url);

/** What is tried of each stack, in the order of the columns. */
const cases: readonly { readonly bound: Bound; readonly host: string }[] = [
  { bound: 'none', host: 'api.test' },
  { bound: 'intermediate', host: `api.${permitted}` },
  { bound: 'intermediate', host: 'api.test' },
  { bound: 'root', host: `api.${permitted}` },
  { bound: 'root', host: 'api.test' },
];

type Outcome = 'taken' | 'refused';

async function outcomesOf(stack: Stack, folder: string): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [number, { bound, host }] of cases.entries()) {
    const chain = chainFor(host, bound, Date.now());
    const own = join(folder, `${stack.name.replaceAll(/\W/g, '')}-${number}`);
    mkdirSync(own);
    writeFileSync(join(own, 'root.pem'), chain.rootPem);
    writeFileSync(join(own, 'intermediate.pem'), chain.intermediatePem);
    writeFileSync(join(own, 'leaf.pem'), chain.leafPem);
    const server = createServer(
      { cert: chain.leafPem + chain.intermediatePem, key: chain.keyPem },
      (_, response) => response.end('hello'),
    );
    server.on('tlsClientError', () => undefined);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    // What a server that listens on TCP gives.
    const { port } = server.address() as AddressInfo;
    const isGood = await isTaken(stack, { host, port, chain, folder: own }, folder);
    outcomes.push(isGood ? 'taken' : 'refused');
    server.closeAllConnections();
    server.close();
  }
  return outcomes;
}

test(
  'TLS stacks take what is within the names, and the documents say which look at them',
  { skip },
  async (context) => {
    await using temporary = await temporaryDirectory();
    const rows: string[] = [];
    const skipped: string[] = [];
    for (const stack of stacks) {
      const reason = whyNot(stack, temporary.path);
      if (reason !== undefined) {
        skipped.push(`${stack.name}: ${reason}`);
        continue;
      }
      const outcomes = await outcomesOf(stack, temporary.path);
      context.diagnostic(`${stack.name}: ${outcomes.join(', ')}`);
      rows.push(`| ${stack.name} | ${outcomes.join(' | ')} |`);
      // Whoever looks at none is told in the table; whoever knows none refuses.
      const [plain, , outside] = outcomes;
      assert.deepEqual([plain, outside], ['taken', 'refused'], stack.name);
    }
    for (const one of skipped) context.diagnostic(`skipped: ${one}`);
    assert.ok(rows.length >= 1, 'nothing of it is here');
    const text = readFileSync(reference, 'utf8');
    if (process.env['UPDATE_DOCS'] !== undefined) {
      const written = text.replace(
        /(<!-- table: ca-clients -->\n(?:\|[^\n]*\n){2})(?:\|[^\n]*\n)*/,
        (_, head: string) => `${head}${rows.join('\n')}\n`,
      );
      writeFileSync(reference, written);
      return;
    }
    assert.deepEqual(
      rows.filter((row) => !text.includes(row)),
      [],
      'docs/reference/certificates.md says otherwise: UPDATE_DOCS=1 writes it',
    );
  },
);
