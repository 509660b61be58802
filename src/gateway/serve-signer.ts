// The process that has the key of the authority, from what it is told at its start until its input ends.

import { deserialize } from 'node:v8';
import { readCertificates } from '../pki/authority-files.ts';
import type { Custodian } from './custody/custodian.ts';
import { FileCustodian } from './custody/file-custodian.ts';
import { serveSigner } from './custody/signer-server.ts';
import { authorityKeyFiles } from './open-authority-keys.ts';
import type { SignerProcess, SignerStart } from './open-custody.ts';

/** What stands in the first line of its input. */
export function signerStartOf(line: string): SignerStart {
  // Written by who started this process, before it served anybody.
  return deserialize(Buffer.from(line, 'base64')) as SignerStart;
}

export async function runSigner(start: SignerStart, process: SignerProcess): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const { names = [] } = start.config.certificateAuthority;
  const custodian = stack.use(await openCustodian(start, process, stack));
  const serving = serveSigner({ ...process, custodian, names });
  await custodian.start();
  await serving;
}

async function openCustodian(
  start: SignerStart,
  process: SignerProcess,
  stack: AsyncDisposableStack,
): Promise<Custodian & { start(): Promise<void> }> {
  const { config, environment } = start;
  const { clock } = process;
  const { names = [], directory, signedBy } = config.certificateAuthority;
  if (signedBy === undefined)
    return new FileCustodian({ directory, keys: authorityKeyFiles({ config, environment, clock }) });
  // Loaded where it is used: a signer that reads a file has nothing of what goes out.
  const { RollingCustodian } = await import('./custody/rolling-custodian.ts');
  const { openParent } = await import('./open-parent.ts');
  return new RollingCustodian({
    parent: await openParent(signedBy, start, process, stack),
    certificates: () => readCertificates(signedBy.certificates),
    names,
    lifetimeMs: signedBy.lifetimeMs,
    clock,
  });
}
