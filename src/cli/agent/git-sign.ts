// `upstreamproxy git-sign`: what git calls in place of `ssh-keygen -Y sign`. The gateway gets the whole commit or tag, and gives the signature.

import { readFile, writeFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { type GitSignWords, readGitSignWords } from './git-sign-words.ts';
import { signThroughRelay } from './sign-through-relay.ts';
import { relayAddressOf } from '../../agent/relay/relay-address.ts';
import { relaySocketVariable } from '../../agent/environment.ts';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { gitSignDefinition } from '../commands/inner-definitions.ts';
import type { Input } from '../definition/command-definition.ts';
import { commandOf } from '../terminal/command.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

async function gitSign(input: Input<typeof gitSignDefinition>): Promise<number> {
  const words = readGitSignWords(input.arguments.WORDS);
  const object = await readObject(words);
  const environment = workloadEnvironment(process.env);
  const socketPath = environment[relaySocketVariable];
  const isListening = environment['https_proxy'] !== undefined || environment['HTTPS_PROXY'] !== undefined;
  const armor = await signThroughRelay({
    relay: !isListening && socketPath !== undefined ? { socketPath } : relayAddressOf(undefined, environment),
    namespace: words.namespace,
    object,
  });
  if (words.file === undefined) process.stdout.write(armor);
  else await writeFile(`${words.file}.sig`, armor, { mode: 0o644 });
  return 0;
}

async function readObject({ file }: GitSignWords): Promise<Buffer> {
  try {
    return file === undefined ? await buffer(process.stdin) : await readFile(file);
  } catch (error) {
    throw new ProxyError('usage', `what is to be signed cannot be read: ${faultReason(error)}`);
  }
}

export const gitSignCommand = commandOf(gitSignDefinition, gitSign);
