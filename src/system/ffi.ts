// Named operations of libc by the foreign function interface, for Node and Bun alike. Nothing else but the modules of pkcs11-module.ts is called so.

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

/** A number, or memory whose address is passed. */
export type SystemCallArgument = number | bigint | Uint8Array;

/** System calls by number, for what libc has no function for. They act on the calling thread, as the kernel means it. */
export interface SystemCalls extends Disposable {
  /** The result as the kernel gives it: below 0 it is a negated errno. At most six arguments. */
  call(number: number, ...args: readonly SystemCallArgument[]): number;
  /** The address of memory, for structures that hold pointers. The caller keeps the memory alive. */
  address(memory: Uint8Array): bigint;
  /**
   * `posix_spawn(3)` without an environment: unlike the runtime's own way it leaves the child which signals are ignored. Returns its id, or
   * below 0 a negated errno.
   */
  spawn(path: string, argv: readonly string[]): number;
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

/**
 * Node's module, looked up synchronously, so that setNonDumpable() is synchronous. Node warns once that it is experimental, which is
 * nobody's business who uses the library: the version is pinned, and tests fail when the module changes. Other warnings go on.
 */
export function nodeFfi(): NonNullable<ReturnType<typeof process.getBuiltinModule<'node:ffi'>>> {
  const { emitWarning } = process;
  process.emitWarning = (...args: readonly unknown[]): void => {
    if (!String(args[0]).startsWith('FFI is an experimental feature'))
      Reflect.apply(emitWarning, process, args);
  };
  try {
    const ffi = process.getBuiltinModule('node:ffi');
    if (ffi === undefined)
      throw new Error(`Node ${process.versions.node} has no node:ffi; use Node 26 or Bun`);
    return ffi;
  } finally {
    process.emitWarning = emitWarning;
  }
}

function openLibcInNode(): Libc {
  const ffi = nodeFfi();
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
  const { symbols, close } = openFirst(ffi, libraryNames());
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

/** glibc's name, musl's two. */
function libraryNames(): readonly string[] {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  return ['libc.so.6', 'libc.so', `libc.musl-${machine}.so.1`];
}

type SixWords = readonly [bigint, bigint, bigint, bigint, bigint, bigint];

/** What both runtimes give for system calls. */
interface RawSystemCalls {
  // eslint-disable-next-line max-params -- syscall(2) takes its number and six words
  readonly syscall: (
    number: bigint,
    a: bigint,
    b: bigint,
    c: bigint,
    d: bigint,
    e: bigint,
    f: bigint,
  ) => bigint | number;
  readonly errno: () => number;
  readonly address: (memory: Uint8Array) => bigint;
  /** Process id, path, two that are left out, arguments, environment. */
  readonly posixSpawn: (args: SixWords) => number;
  readonly close: () => void;
}

/** Loads `syscall(2)`. Throws an Error with the runtime's own words if foreign functions cannot be had here. */
export function openSystemCalls(): SystemCalls {
  if (process.platform !== 'linux') throw new Error(`system calls need Linux, this is ${process.platform}`);
  const raw = process.versions['bun'] === undefined ? openSystemCallsInNode() : openSystemCallsInBun();
  const value = (argument: SystemCallArgument | undefined): bigint => {
    if (argument === undefined) return 0n;
    return BigInt.asUintN(64, argument instanceof Uint8Array ? raw.address(argument) : BigInt(argument));
  };
  return {
    // eslint-disable-next-line max-params -- syscall(2) takes its number and six words
    call(number, a, b, c, d, e, f) {
      const result = raw.syscall(BigInt(number), value(a), value(b), value(c), value(d), value(e), value(f));
      return Number(result) === -1 ? -raw.errno() : Number(result);
    },
    address: (memory) => raw.address(memory),
    spawn(path, argv) {
      const words = [path, ...argv].map((word) => Buffer.from(`${word}\0`));
      const [file = 0n, ...list] = words.map((word) => raw.address(word));
      const pointers = new Uint8Array(BigUint64Array.from([...list, 0n]).buffer);
      const [pid, none] = [new Int32Array(1), new Uint8Array(8)];
      const place = raw.address(new Uint8Array(pid.buffer));
      const errno = raw.posixSpawn([place, file, 0n, 0n, raw.address(pointers), raw.address(none)]);
      return errno === 0 ? (pid[0] ?? 0) : -errno;
    },
    [Symbol.dispose]: () => raw.close(),
  };
}

function openSystemCallsInNode(): RawSystemCalls {
  const ffi = nodeFfi();
  const words = ['uint64', 'uint64', 'uint64', 'uint64', 'uint64', 'uint64'] as const;
  const { lib, functions } = ffi.dlopen(null, {
    syscall: { arguments: ['int64', ...words], return: 'int64' },
    posix_spawn: { arguments: words, return: 'int32' },
    // The same name in glibc and musl.
    __errno_location: { arguments: [], return: 'pointer' },
  });
  return {
    // eslint-disable-next-line max-params -- syscall(2) takes its number and six words
    syscall: (number, a, b, c, d, e, f) => functions.syscall(number, a, b, c, d, e, f),
    errno: () => ffi.getInt32(functions.__errno_location(), 0),
    address: (memory) => ffi.getRawPointer(memory),
    posixSpawn: (args) => functions.posix_spawn(...args),
    close: () => lib.close(),
  };
}

interface BunSystemCallFfi {
  dlopen(
    path: string,
    symbols: unknown,
  ): {
    readonly symbols: {
      syscall(
        number: bigint,
        a: bigint,
        b: bigint,
        c: bigint,
        d: bigint,
        e: bigint,
        f: bigint,
      ): bigint | number;
      __errno_location(): number;
      posix_spawn(...args: SixWords): number;
    };
    close(): void;
  };
  ptr(memory: Uint8Array): number;
  readonly read: { i32(address: number, offset: number): number };
}

function openSystemCallsInBun(): RawSystemCalls {
  // Bun documents this module under this name; Node's types do not know it.
  const ffi = process.getBuiltinModule('bun:ffi') as unknown as BunSystemCallFfi;
  let failure: unknown;
  for (const name of libraryNames()) {
    try {
      const library = ffi.dlopen(name, {
        syscall: { args: ['i64', 'u64', 'u64', 'u64', 'u64', 'u64', 'u64'], returns: 'i64' },
        __errno_location: { args: [], returns: 'ptr' },
        posix_spawn: { args: ['u64', 'u64', 'u64', 'u64', 'u64', 'u64'], returns: 'i32' },
      });
      const { symbols } = library;
      return {
        // eslint-disable-next-line max-params -- syscall(2) takes its number and six words
        syscall: (number, a, b, c, d, e, f) => symbols.syscall(number, a, b, c, d, e, f),
        errno: () => ffi.read.i32(symbols.__errno_location(), 0),
        address: (memory) => BigInt(ffi.ptr(memory)),
        posixSpawn: (args) => symbols.posix_spawn(...args),
        close: () => library.close(),
      };
    } catch (error) {
      failure = error;
    }
  }
  throw new Error(`no C library could be loaded (tried ${libraryNames().join(', ')})`, { cause: failure });
}
