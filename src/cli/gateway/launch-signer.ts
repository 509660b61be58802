// Starts the processes that have keys: this very program again, with pipes and as few rights as the runtime can give.

import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

import type { LaunchSigner } from '../../gateway/open-custody.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { Pkcs11Request } from '../../system/pkcs11-module.ts';
import { pkcs11SignDefinition, signerDefinition } from '../commands/inner-definitions.ts';
import { isSingleFile, markArguments } from '../terminal/argument-marks.ts';

/** Launches by the runtime that this process has. Its input ends with this process, and it with its input. */
export const launchSigner: LaunchSigner = ({ reachesOut }) => {
  const child = spawn(process.execPath, ownCommand(signerDefinition.name, permissionFlags(reachesOut)), {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  child.once('exit', (code, signal) => resolve(signal ?? `exit ${code}`));
  child.once('error', (error) => resolve(error.message));
  return { input: child.stdin, output: child.stdout, ended, kill: () => void child.kill('SIGKILL') };
};

function ownCommand(name: string, flags: readonly string[] = []): string[] {
  const script = isSingleFile() ? [] : [...flags, ...process.execArgv, process.argv[1] ?? ''];
  return [...script, ...markArguments([name])];
}

/**
 * Node's permission model: no network, no other program, no thread, and no file to write. Foreign functions close the memory of the process.
 * A runtime whose model does not know the network is left without.
 */
function permissionFlags(reachesOut: boolean): readonly string[] {
  if (reachesOut || !process.allowedNodeEnvironmentFlags.has('--allow-net')) return [];
  return ['--permission', '--allow-fs-read=*', '--allow-ffi', '--disable-warning=SecurityWarning'];
}

/** One signature by a key of a token, in a process that ends with it: a fault of the module ends nothing else. */
export async function signPkcs11(request: Pkcs11Request): Promise<Uint8Array> {
  const child = spawn(process.execPath, ownCommand(pkcs11SignDefinition.name), {
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: defaultLimits.pkcs11TimeoutMs,
    killSignal: 'SIGKILL',
  });
  const ended = Promise.withResolvers<string>();
  child.once('error', (error) => ended.resolve(error.message));
  child.once('exit', (code, signal) => ended.resolve(code === 0 ? '' : (signal ?? `exit ${code}`)));
  child.stdin.on('error', () => undefined);
  child.stdin.end(JSON.stringify({ ...request, data: Buffer.from(request.data).toString('base64') }));
  const [printed, told, how] = await Promise.all([text(child.stdout), text(child.stderr), ended.promise]);
  if (how !== '')
    throw new ProxyError(
      'ca_key_unusable',
      `the module ${request.module} did not sign: ${told.trim().slice(0, 300) || how}`,
    );
  return Buffer.from(printed, 'base64');
}
