// The one file that touches a foreign function interface: named operations of libc, for Node and Bun alike.

/** What the agent needs from libc and no runtime offers. Each throws if the kernel refuses. */
export interface NativeOperations extends Disposable {
  /** `prctl(PR_GET_DUMPABLE)`: 0 not dumpable, 1 dumpable, 2 readable by root only (`man 2 prctl`). */
  dumpable(): number;
  /** `prctl(PR_SET_DUMPABLE, 0)`: memory, descriptors and environment are closed to other processes of this user. */
  clearDumpable(): void;
  /** Soft and hard `RLIMIT_CORE` in bytes. */
  coreLimit(): readonly [soft: bigint, hard: bigint];
  /** Sets both to 0, so that no process of this user can raise the limit again with prlimit(2). */
  clearCoreLimit(): void;
}

// From <sys/prctl.h> and <sys/resource.h>; these numbers are the same on every Linux architecture.
const PR_GET_DUMPABLE = 3;
const PR_SET_DUMPABLE = 4;
const RLIMIT_CORE = 4;

/** The C functions as both runtimes call them: integers and one pointer to two u64. */
interface Libc {
  readonly prctl: (option: number, argument: bigint) => number;
  readonly getrlimit: (resource: number, limit: BigUint64Array<ArrayBuffer>) => number;
  readonly setrlimit: (resource: number, limit: BigUint64Array<ArrayBuffer>) => number;
  readonly close: () => void;
}

/** Loads libc. Throws an Error with the runtime's own words if foreign functions cannot be had here. */
export function openNative(): NativeOperations {
  if (process.platform !== 'linux') throw new Error(`prctl needs Linux, this is ${process.platform}`);
  const libc = process.versions['bun'] === undefined ? openLibcInNode() : openLibcInBun();
  return {
    dumpable: () => succeeded('PR_GET_DUMPABLE', libc.prctl(PR_GET_DUMPABLE, 0n)),
    clearDumpable() {
      succeeded('PR_SET_DUMPABLE', libc.prctl(PR_SET_DUMPABLE, 0n));
    },
    coreLimit() {
      const limit = new BigUint64Array(2);
      succeeded('getrlimit(RLIMIT_CORE)', libc.getrlimit(RLIMIT_CORE, limit));
      return [limit[0] ?? 0n, limit[1] ?? 0n];
    },
    clearCoreLimit() {
      succeeded('setrlimit(RLIMIT_CORE)', libc.setrlimit(RLIMIT_CORE, new BigUint64Array(2)));
    },
    [Symbol.dispose]: () => libc.close(),
  };
}

function succeeded(operation: string, result: number): number {
  if (result < 0) throw new Error(`${operation} was refused by the kernel`);
  return result;
}

function openLibcInNode(): Libc {
  // A synchronous look-up, so that setNonDumpable() is synchronous; undefined on a Node without FFI.
  const ffi = process.getBuiltinModule('node:ffi');
  if (ffi === undefined) throw new Error(`Node ${process.versions.node} has no node:ffi; use Node 26 or Bun`);
  const { lib, functions } = ffi.dlopen(null, {
    prctl: { arguments: ['int32', 'uint64', 'uint64', 'uint64', 'uint64'], return: 'int32' },
    getrlimit: { arguments: ['int32', 'pointer'], return: 'int32' },
    setrlimit: { arguments: ['int32', 'pointer'], return: 'int32' },
  });
  return {
    prctl: (option, argument) => functions.prctl(option, argument, 0n, 0n, 0n),
    getrlimit: (resource, limit) => functions.getrlimit(resource, limit.buffer),
    setrlimit: (resource, limit) => functions.setrlimit(resource, limit.buffer),
    close: () => lib.close(),
  };
}

/** The part of `bun:ffi` that is used here; Bun's own types are not a dependency. */
interface BunFfi {
  dlopen(path: string, symbols: unknown): { readonly symbols: BunSymbols; close(): void };
}

interface BunSymbols {
  prctl(option: number, a: bigint, b: bigint, c: bigint, d: bigint): number;
  getrlimit(resource: number, limit: BigUint64Array): number;
  setrlimit(resource: number, limit: BigUint64Array): number;
}

function openLibcInBun(): Libc {
  // Bun documents this module under this name; Node's types do not know it.
  const ffi = process.getBuiltinModule('bun:ffi') as unknown as BunFfi;
  const { symbols, close } = openFirst(ffi, ['libc.so.6', 'libc.so', `libc.musl-${machineName()}.so.1`]);
  return {
    prctl: (option, argument) => symbols.prctl(option, argument, 0n, 0n, 0n),
    getrlimit: (resource, limit) => symbols.getrlimit(resource, limit),
    setrlimit: (resource, limit) => symbols.setrlimit(resource, limit),
    close,
  };
}

function openFirst(ffi: BunFfi, names: readonly string[]): { readonly symbols: BunSymbols; close(): void } {
  let failure: unknown;
  for (const name of names) {
    try {
      const library = ffi.dlopen(name, {
        prctl: { args: ['i32', 'u64', 'u64', 'u64', 'u64'], returns: 'i32' },
        getrlimit: { args: ['i32', 'ptr'], returns: 'i32' },
        setrlimit: { args: ['i32', 'ptr'], returns: 'i32' },
      });
      return { symbols: library.symbols, close: () => library.close() };
    } catch (error) {
      failure = error;
    }
  }
  throw new Error(`no C library could be loaded (tried ${names.join(', ')})`, { cause: failure });
}

function machineName(): string {
  return process.arch === 'arm64' ? 'aarch64' : 'x86_64';
}
