// One signature by a key of a PKCS #11 module (OASIS PKCS #11 3.1), by foreign functions: no package of native code stands between.
// A fault of a module ends the process that calls it, so call it in one that has nothing to lose.

import { defaultLimits } from '../protocol/limits.ts';
import { nodeFfi } from './ffi.ts';

export interface Pkcs11Key {
  /** Path of the module, a shared library. */
  readonly module: string;
  /** Label of the token. */
  readonly token: string;
  /** Label of the private key. */
  readonly key: string;
}

export interface Pkcs11Request extends Pkcs11Key {
  readonly pin: string;
  /** `ecdsa`: `data` is a digest, the signature r and s. `rsa`: `data` is a DigestInfo (PKCS #1 v1.5). */
  readonly mechanism: 'ecdsa' | 'rsa';
  readonly data: Uint8Array;
}

// From pkcs11t.h.
const mechanisms = { rsa: 0x1n, ecdsa: 0x1041n } as const;
const serialSession = 4n;
const userOfToken = 1n;
const attributeClass = 0n;
const attributeLabel = 3n;
const privateKeyClass = 3n;
const tokenInfoBytes = 512;
const alreadyLoggedIn = 0x100;

type Word = bigint;
type Call = (...args: readonly Word[]) => Word;

const functionArguments = {
  C_Initialize: 1,
  C_GetSlotList: 3,
  C_GetTokenInfo: 2,
  C_OpenSession: 5,
  C_Login: 4,
  C_FindObjectsInit: 3,
  C_FindObjects: 4,
  C_FindObjectsFinal: 1,
  C_SignInit: 3,
  C_Sign: 5,
  C_CloseSession: 1,
  C_Finalize: 1,
} as const;

type FunctionName = keyof typeof functionArguments;

/** Throws an Error that says which step failed, by the number that the module gives. */
export function signByPkcs11(request: Pkcs11Request): Uint8Array {
  const ffi = nodeFfi();
  const symbols = Object.fromEntries(
    Object.entries(functionArguments).map(([name, count]) => [
      name,
      { arguments: Array.from({ length: count }, () => 'uint64' as const), return: 'uint64' as const },
    ]),
  );
  const { functions } = ffi.dlopen(request.module, symbols);
  const call = (name: FunctionName, ...args: readonly Word[]): void => {
    // Each was asked for by this name.
    const result = Number((functions[name] as Call)(...args));
    if (result !== 0 && !(name === 'C_Login' && result === alreadyLoggedIn))
      throw new Error(`${name} gave 0x${result.toString(16)}${reasonOf(result)}`);
  };
  const address = (memory: Uint8Array | BigUint64Array): Word => ffi.getRawPointer(memory);
  call('C_Initialize', 0n);
  try {
    return signInSession(request, call, address);
  } finally {
    (functions['C_Finalize'] as Call)(0n);
  }
}

type Calls = (name: FunctionName, ...args: readonly Word[]) => void;
type Address = (memory: Uint8Array | BigUint64Array) => Word;

function signInSession(request: Pkcs11Request, call: Calls, address: Address): Uint8Array {
  const session = new BigUint64Array(1);
  call('C_OpenSession', slotOf(request.token, call, address), serialSession, 0n, 0n, address(session));
  const [handle = 0n] = session;
  const pin = Buffer.from(request.pin);
  call('C_Login', handle, userOfToken, address(pin), BigInt(pin.length));
  pin.fill(0);
  const key = keyOf(request.key, handle, call, address);
  const mechanism = BigUint64Array.from([mechanisms[request.mechanism], 0n, 0n]);
  call('C_SignInit', handle, address(mechanism), key);
  const signature = Buffer.alloc(defaultLimits.pkcs11SignatureBytesMax);
  const length = BigUint64Array.from([BigInt(signature.length)]);
  const data = Buffer.from(request.data);
  call('C_Sign', handle, address(data), BigInt(data.length), address(signature), address(length));
  call('C_CloseSession', handle);
  return signature.subarray(0, Number(length[0]));
}

function slotOf(label: string, call: Calls, address: Address): Word {
  const count = BigUint64Array.from([BigInt(defaultLimits.pkcs11SlotsMax)]);
  const slots = new BigUint64Array(defaultLimits.pkcs11SlotsMax);
  call('C_GetSlotList', 1n, address(slots), address(count));
  for (const slot of slots.subarray(0, Number(count[0]))) {
    const info = Buffer.alloc(tokenInfoBytes);
    call('C_GetTokenInfo', slot, address(info));
    if (info.toString('utf8', 0, 32).trimEnd() === label) return slot;
  }
  throw new Error(`no token has the label ${JSON.stringify(label)}`);
}

function keyOf(label: string, session: Word, call: Calls, address: Address): Word {
  const kind = BigUint64Array.from([privateKeyClass]);
  const name = Buffer.from(label);
  const template = BigUint64Array.from(
    [
      [attributeClass, address(kind), 8n],
      [attributeLabel, address(name), BigInt(name.length)],
    ].flat(),
  );
  call('C_FindObjectsInit', session, address(template), 2n);
  const found = new BigUint64Array(2);
  const count = new BigUint64Array(1);
  call('C_FindObjects', session, address(found), 2n, address(count));
  call('C_FindObjectsFinal', session);
  if (count[0] !== 1n)
    throw new Error(
      `${count[0] === 0n ? 'no private key has' : 'more than one private key has'} the label ${JSON.stringify(label)}`,
    );
  return found[0] ?? 0n;
}

const reasons: Readonly<Record<number, string>> = {
  0x70: ' (the mechanism is not allowed)',
  0xa0: ' (the PIN is wrong)',
  0xa4: ' (the PIN is locked)',
  0xe0: ' (the token is not there)',
  0x68: ' (the key does not sign)',
};

function reasonOf(result: number): string {
  return reasons[result] ?? '';
}
