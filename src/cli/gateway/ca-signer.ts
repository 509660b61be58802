// The process that has the key of the authority, and the one that makes a signature with a token: a gateway starts them, and nobody else does.

import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { type Pkcs11Request, signByPkcs11 } from '../../system/pkcs11-module.ts';
import { pkcs11SignDefinition, signerDefinition } from '../commands/inner-definitions.ts';
import { commandOf } from '../terminal/command.ts';
import { ignoreSignals } from '../terminal/shutdown-signal.ts';
import { outliveStandardError } from '../terminal/standard-error.ts';
import { protectProcess } from './gateway-protection.ts';
import { signPkcs11 } from './launch-signer.ts';

async function caSigner(): Promise<number> {
  // Before anything that is a secret comes.
  protectProcess((message) => process.stderr.write(`upstreamproxy: ${message}\n`));
  outliveStandardError();
  ignoreSignals();
  const { runSigner, signerStartOf } = await import('../../gateway/serve-signer.ts');
  const line = await firstLine(process.stdin);
  const { stdin: input, stdout: output } = process;
  await runSigner(signerStartOf(line), { input, output, clock: Date.now, signPkcs11 });
  return 0;
}

/** What is behind it stays in the stream. */
async function firstLine(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for (let bytes = 0; ;) {
    // A stream without an encoding gives buffers.
    const chunk = stream.read() as Buffer | null;
    if (chunk === null) {
      if (stream.readableEnded)
        throw new ProxyError('usage', 'ca-signer is started by "upstreamproxy gateway"');
      await untilReadable(stream);
      continue;
    }
    const end = chunk.indexOf(0x0a);
    bytes += chunk.length;
    if (bytes > defaultLimits.signerStartBytesMax)
      throw new ProxyError('usage', 'the first line is too long');
    chunks.push(end < 0 ? chunk : chunk.subarray(0, end));
    if (end < 0) continue;
    if (end + 1 < chunk.length) stream.unshift(chunk.subarray(end + 1));
    return Buffer.concat(chunks).toString();
  }
}

function untilReadable(stream: Readable): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.once('readable', resolve).once('end', resolve);
  return promise;
}

async function pkcs11Sign(): Promise<number> {
  protectProcess(() => undefined);
  // Written by the signer, which has checked it.
  const { data, ...request } = JSON.parse(await text(process.stdin)) as Omit<Pkcs11Request, 'data'> & {
    readonly data: string;
  };
  try {
    const signature = signByPkcs11({ ...request, data: Buffer.from(data, 'base64') });
    process.stdout.write(Buffer.from(signature).toString('base64'));
    return 0;
  } catch (error) {
    process.stderr.write(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

export const caSignerCommand = commandOf(signerDefinition, caSigner);
export const pkcs11SignCommand = commandOf(pkcs11SignDefinition, pkcs11Sign);
