// `upstreamproxy operator`: who may use the admin API.

import { ProxyError } from '../../protocol/error.ts';
import { writePrivateFile } from '../../system/private-file.ts';
import { operatorDefinition } from '../commands/operator-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { tableStyle } from '../terminal/table-style.ts';
import { asciiText, harmlessText, jsonLine, textTable } from '../terminal/text-table.ts';
import { openOperatorBackend } from './operator-place.ts';
import { tellDone } from '../terminal/notes.ts';

type Actions = (typeof operatorDefinition)['actions'];

function readSees(pairs: readonly string[] | undefined): Readonly<Record<string, string>> | undefined {
  if (pairs === undefined) return undefined;
  const claims = pairs.map((pair) => {
    const equals = pair.indexOf('=');
    if (equals < 1) throw new ProxyError('usage', `--sees takes CLAIM=VALUE, not "${pair}"`);
    return [pair.slice(0, equals), pair.slice(equals + 1)] as const;
  });
  const names = claims.map(([name]) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new ProxyError('usage', `--sees names the claim "${twice}" twice`);
  return Object.fromEntries(claims);
}

async function token({ options }: Input<Actions[0]>): Promise<number> {
  const { name, role, out } = options;
  if (options.for === undefined)
    throw new ProxyError('usage', 'for how long? give it with --for, such as --for 8h');
  if (!/^[A-Za-z0-9][A-Za-z0-9._@ -]{0,99}$/.test(name))
    throw new ProxyError('usage', '--name takes letters, digits, ".", "_", "@", "-" and spaces');
  await using backend = await openOperatorBackend(options, 'write');
  const made = await backend.makeToken({ name, role, forMs: options.for, sees: readSees(options.sees) });
  if (out === undefined) process.stdout.write(`${asciiText(made)}\n`);
  else await writePrivateFile(out, made);
  return 0;
}

async function list({ options }: Input<Actions[1]>): Promise<number> {
  await using backend = await openOperatorBackend(options, 'read');
  const tokens = await backend.tokens();
  if (options.json) {
    process.stdout.write(tokens.map(jsonLine).join(''));
    return 0;
  }
  const title = ['id', 'name', 'role', 'sees', 'expires', 'last used', 'made by'];
  const rows = tokens.map((one) => [
    one.id,
    one.name,
    one.role,
    one.sees === undefined
      ? 'all'
      : Object.entries(one.sees)
          .map(([claim, value]) => `${claim}=${String(value)}`)
          .join(','),
    one.expires,
    one.lastUsed ?? '-',
    one.createdBy,
  ]);
  process.stdout.write(textTable([title, ...rows], tableStyle({ hasTitle: true })));
  return 0;
}

async function revoke({ options, arguments: { ID: id } }: Input<Actions[2]>): Promise<number> {
  await using backend = await openOperatorBackend(options, 'write');
  tellDone(options, `revoked the token of ${harmlessText(await backend.revokeToken(id))}\n`);
  return 0;
}

export const operatorCommand = groupOf(operatorDefinition, { token, list, revoke });
