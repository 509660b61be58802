// `upstreamproxy login`: a token for the admin API of a gateway, looked at and kept.

import { ProxyError } from '../../protocol/error.ts';
import type { Secret } from '../../protocol/secret.ts';
import { loginDefinition } from '../commands/login-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { commandOf } from '../terminal/command.ts';
import { harmlessText, jsonLine } from '../terminal/text-table.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';
import { AdminConnection } from '../../admin/admin-connection.ts';
import { readCa, readToken } from '../../admin/admin-place.ts';
import { contextNamePattern, contextsPath, readContexts, writeContexts } from './contexts.ts';
import { tellDone } from '../terminal/notes.ts';
import { readServer, tokenOfOptions } from './operator-place.ts';

const tokenBytesMax = 1_000;

async function logIn({ options }: Input<typeof loginDefinition>): Promise<number> {
  const server = readServer(options.server);
  const { name = server.host, json } = options;
  if (!contextNamePattern.test(name))
    throw new ProxyError('usage', '--name takes letters, digits, ".", "_", ":" and "-"');
  const ca = options.ca === undefined ? undefined : await readCa(options.ca);
  const token = (await tokenOfOptions(options)) ?? (await tokenOfInput());
  await using connection = new AdminConnection({ server, ca, token });
  const { name: who, role, expires } = await connection.ask('who');
  const path = contextsPath(workloadEnvironment(process.env));
  const kept = await readContexts(path);
  const context = { name, server: server.origin, token: token.reveal(), ...(ca === undefined ? {} : { ca }) };
  const others = kept.contexts.filter((one) => one.name !== name);
  await writeContexts(path, { current: name, contexts: [...others, context] });
  if (json) process.stdout.write(jsonLine({ context: name, server: server.origin, who, role, expires }));
  else {
    const until = expires === undefined ? '' : `, until ${expires}`;
    const done = harmlessText(`logged in to ${server.origin} as ${who}, ${role}${until}`);
    tellDone(options, `${done}\nthe context ${name} is the current one\n`);
  }
  return 0;
}

/** Up to its end, so not from a terminal, which would show it. @throws ProxyError usage, config_invalid */
async function tokenOfInput(): Promise<Secret<string>> {
  if (process.stdin.isTTY)
    throw new ProxyError(
      'usage',
      'with which token? --token-file FILE, --token-env VARIABLE, or on standard input',
    );
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of process.stdin as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > tokenBytesMax) throw new ProxyError('usage', 'standard input has more than a token');
    pieces.push(piece);
  }
  return readToken(Buffer.concat(pieces).toString('utf8'));
}

export const loginCommand = commandOf(loginDefinition, logIn);
