// The thread of a PAC script: the interpreter, and the three things that a script can learn from outside of it.

import { receiveMessageOnPort } from 'node:worker_threads';
import { QuickJS, type JSValueHandle } from 'quickjs-wasi';
import { defaultLimits } from '../../protocol/limits.ts';
import { pacFunctions } from './pac-functions.ts';
import type { PacMessage, PacReading, PacResponse, PacThreadData } from './pac-messages.ts';

const stackBytes = 256 * 1024;

export async function servePac({ code, script, port, signal }: PacThreadData): Promise<void> {
  const vm = await QuickJS.create({
    wasm: code,
    memoryLimit: defaultLimits.pacMemoryBytesMax,
    maxStackSize: stackBytes,
  });
  let ownAddress = '127.0.0.1';
  const say = (response: PacResponse): void => port.postMessage(response);
  const text = (handle: JSValueHandle | undefined): string | undefined =>
    handle !== undefined && vm.typeof(handle) === 'string' ? handle.toString() : undefined;
  const resolveHost = vm.newFunction('resolveHost', (handle) => {
    const host = text(handle);
    if (host === undefined || host.length > 253) return vm.null;
    Atomics.store(signal, 0, 0);
    say({ resolve: host });
    Atomics.wait(signal, 0, 0);
    // Nothing else is sent while the thread is asked.
    const received = receiveMessageOnPort(port)?.message as PacMessage | undefined;
    const address = received !== undefined && 'address' in received ? received.address : null;
    return address === null ? vm.null : vm.newString(address);
  });
  const own = vm.newFunction('ownAddress', () => vm.newString(ownAddress));
  const ahead = vm.newFunction('minutesAhead', () => vm.newNumber(-new Date().getTimezoneOffset()));
  let isLoaded = false;
  const load = (): void => {
    vm.callFunction(vm.evalCode(pacFunctions), vm.undefined, vm.global, resolveHost, own, ahead);
    vm.evalCode(script, 'proxy.pac');
    isLoaded = true;
  };
  const find = ({ url, host }: { readonly url: string; readonly host: string }): PacReading => {
    try {
      return vm.withScope(() => {
        if (!isLoaded) load();
        const found = vm.global.getProp('FindProxyForURL');
        if (vm.typeof(found) !== 'function') return failed('it has no function FindProxyForURL');
        return readResult(vm.callFunction(found, vm.undefined, vm.newString(url), vm.newString(host)));
      });
    } catch (error) {
      return failed(error instanceof Error ? error.message.slice(0, 200) : 'it failed');
    }
  };
  const readResult = (result: JSValueHandle): PacReading => {
    if (result.isUndefined || result.isNull) return { kind: 'found', text: '' };
    const said = text(result);
    if (said === undefined) return failed('it gave something that is no text');
    if (said.length > defaultLimits.pacResultCharactersMax)
      return failed('it gave a longer text than pacResultCharactersMax');
    return { kind: 'found', text: said };
  };
  port.on('message', (message: PacMessage) => {
    if (!('ask' in message)) return;
    ({ ownAddress } = message);
    const beganMs = performance.now();
    const reading = find(message.ask);
    say({ reading, spentMs: performance.now() - beganMs });
  });
  say({ ready: true });
}

function failed(reason: string): PacReading {
  return { kind: 'failed', reason };
}
