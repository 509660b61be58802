// A signer that runs in this process, over the pipes that it would have in one of its own.

import { PassThrough } from 'node:stream';
import type { LaunchedSigner } from '../../../../src/gateway/custody/signer-client.ts';

export interface SignerPipes {
  readonly input: PassThrough;
  readonly output: PassThrough;
}

/** `serve` ends as the process would; `die` ends it at once. */
export function signerInProcess(
  serve: (pipes: SignerPipes) => Promise<void>,
): LaunchedSigner & { readonly die: () => void } {
  const pipes = { input: new PassThrough(), output: new PassThrough() };
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  const die = (): void => {
    resolve('SIGKILL');
    pipes.input.destroy();
    pipes.output.destroy();
  };
  serve(pipes).then(
    () => resolve('exit 0'),
    (error: unknown) => resolve(String(error)),
  );
  return { ...pipes, ended, kill: die, die };
}
