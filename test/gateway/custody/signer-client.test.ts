import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';
import { heldKey } from '../../../src/gateway/custody/custodian.ts';
import type { Custodian, HeldKey } from '../../../src/gateway/custody/custodian.ts';
import { SignerClient } from '../../../src/gateway/custody/signer-client.ts';
import { serveSigner } from '../../../src/gateway/custody/signer-server.ts';
import { LeafServers } from '../../../src/intercept/leaf-servers.ts';
import { createPair } from '../../../src/pki/certificate-authority.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { signerInProcess, type SignerPipes } from './support/signer-in-process.ts';

const nowMs = Date.now();
const dayMs = 86_400_000;

function newHeld(): HeldKey {
  const { key, certificates } = createPair(nowMs);
  return heldKey(key, certificates);
}

class Kept implements Custodian {
  held: readonly HeldKey[];
  fault: ProxyError | undefined;
  #listener: () => void = () => undefined;

  constructor(...held: readonly HeldKey[]) {
    this.held = held;
  }

  watch(listener: () => void): void {
    this.#listener = listener;
  }

  change(change: Partial<Pick<Kept, 'held' | 'fault'>>): void {
    Object.assign(this, change);
    this.#listener();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is open.
  }
}

async function untilEnded({ input }: SignerPipes): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  input.resume().once('end', resolve).once('close', resolve);
  await promise;
}

/** A client, and what each of its signers is asked and does. */
function scene(custodian: Custodian, names: readonly string[] = []) {
  const signers: ReturnType<typeof signerInProcess>[] = [];
  const lines: string[] = [];
  let isStuck = false;
  const serve = async (pipes: SignerPipes): Promise<void> => {
    const input = pipes.input;
    const clock = (): number => nowMs;
    await serveSigner({ ...pipes, input, custodian, names, clock });
  };
  const client = new SignerClient({
    launch: () => {
      const signer = signerInProcess(isStuck ? untilEnded : serve);
      signers.push(signer);
      return signer;
    },
    log: (level, message) => void lines.push(`${level} ${message}`),
    renewsItself: true,
  });
  const stick = (): void => void (isStuck = true);
  /** Waits until the client has heard something new. */
  const heard = async (act: () => void): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    client.watch(resolve);
    act();
    await promise;
  };
  return { client, signers, lines, heard, stick };
}

const codeOf = (error: unknown): string => (error instanceof ProxyError ? error.code : String(error));

describe('the signer of an authority, and the gateway that asks it', () => {
  test('sign leaves, whose key is in the gateway', async () => {
    const held = newHeld();
    const { client } = scene(new Kept(held));
    await using _closing = client;
    const authority = await client.read();
    assert.deepEqual([authority.signerPem, authority.renewsItself], [held.certificates[0], true]);
    const leaf = await authority.issue('a.test', nowMs);
    const certificate = new X509Certificate(leaf.certificatePem);
    assert.ok(certificate.verify(new X509Certificate(held.certificates[0] ?? '').publicKey));
    assert.deepEqual([certificate.subjectAltName, certificate.ca], ['DNS:a.test', false]);
  });

  test('refuse a host outside of the names that are configured', async () => {
    const { client } = scene(new Kept(newHeld()), ['example.com']);
    await using _closing = client;
    const authority = await client.read();
    await assert.rejects(
      async () => authority.issue('a.test', nowMs),
      (error: unknown) => codeOf(error) === 'signing_refused' && /a\.test lies outside/.test(String(error)),
    );
    assert.ok(await authority.issue('a.example.com', nowMs));
  });

  test('go over to another authority, and what was asked of the one of before is still signed', async () => {
    const [first, second] = [newHeld(), newHeld()];
    const custodian = new Kept(first);
    const { client, heard } = scene(custodian);
    await using _closing = client;
    const before = await client.read();
    await heard(() => custodian.change({ held: [second, first] }));
    assert.equal((await client.read()).signerPem, second.certificates[0]);
    const leaf = new X509Certificate((await before.issue('a.test', nowMs)).certificatePem);
    assert.ok(leaf.verify(new X509Certificate(first.certificates[0] ?? '').publicKey));
    await heard(() => custodian.change({ held: [second] }));
    await assert.rejects(
      async () => before.issue('a.test', nowMs),
      (error: unknown) => codeOf(error) === 'signing_refused',
    );
  });

  test('a signer that dies is started again, and until then what it is asked is refused', async () => {
    const { client, signers, heard } = scene(new Kept(newHeld()));
    await using _closing = client;
    const authority = await client.read();
    await heard(() => signers[0]?.die());
    await assert.rejects(
      async () => authority.issue('a.test', nowMs),
      (error: unknown) => codeOf(error) === 'signer_unavailable',
    );
    await assert.rejects(client.read(), /its process ended \(SIGKILL\), and is started again/);
    await heard(() => undefined);
    assert.equal(signers.length, 2);
    assert.ok(await (await client.read()).issue('a.test', nowMs));
    assert.ok(await authority.issue('b.test', nowMs));
  });

  test('a fault of the signer is told, and ends when it does', async () => {
    const custodian = new Kept();
    custodian.fault = new ProxyError('ca_key_unusable', 'the token is away');
    const { client, heard } = scene(custodian);
    await using _closing = client;
    await assert.rejects(client.read(), { message: 'the token is away', code: 'ca_key_unusable' });
    await heard(() => custodian.change({ held: [newHeld()], fault: undefined }));
    assert.ok(await client.read());
  });

  test('no more waits than may, and nothing is left when it ends', async () => {
    const { client, signers, heard, stick } = scene(new Kept(newHeld()));
    const authority = await client.read();
    stick();
    await heard(() => signers[0]?.die());
    const isStarted = Promise.withResolvers<void>();
    const look = (): void => void (signers.length === 2 ? isStarted.resolve() : setImmediate(look));
    look();
    await isStarted.promise;
    const waiting = Array.from({ length: defaultLimits.signaturesWaitingMax }, async () =>
      Promise.resolve(authority.issue('a.test', nowMs)).then(() => 'signed', codeOf),
    );
    await assert.rejects(
      async () => authority.issue('b.test', nowMs),
      (error: unknown) => codeOf(error) === 'limit_exceeded',
    );
    const closing = client[Symbol.asyncDispose]();
    assert.deepEqual([...new Set(await Promise.all(waiting))], ['shutting_down']);
    await closing;
  });

  test('a signer that writes nonsense is ended', async () => {
    const client = new SignerClient({
      launch: () =>
        signerInProcess(async (pipes) => {
          pipes.output.write('{"kind":"signed","id":1\n');
          await untilEnded(pipes);
        }),
      log: () => undefined,
      renewsItself: false,
    });
    await using _closing = client;
    await assert.rejects(client.read(), { code: 'signer_unavailable' });
  });

  test('one that is taken over gets so many signatures in a second', async () => {
    const { client } = scene(new Kept(newHeld()));
    await using _closing = client;
    const authority = await client.read();
    const count = defaultLimits.leafSignaturesPerSecondMax;
    let refused = 0;
    for (let i = 0; i < count + 5; i++)
      await Promise.resolve(authority.issue(`h${i}.test`, nowMs)).catch((error: unknown) => {
        assert.equal(codeOf(error), 'limit_exceeded');
        refused++;
      });
    assert.equal(refused, 5);
  });
});

describe('the leaves of an authority whose signer is away', () => {
  test('go on until shortly before their end, and new ones are refused', async () => {
    const { client, signers, heard, stick } = scene(new Kept(newHeld()));
    await using _closing = client;
    const authority = await client.read();
    const servers = new LeafServers({ issuer: authority, limits: defaultLimits, prepare: () => undefined });
    const get = async (host: string, atMs: number) =>
      servers.get({ host, alpn: [], owner: 'a', nowMs: atMs });
    const [first, same] = await Promise.all([get('a.test', nowMs), get('a.test', nowMs)]);
    assert.equal(first, same);
    stick();
    await heard(() => signers[0]?.die());
    const code = async (host: string, atMs: number): Promise<string> =>
      get(host, atMs).then((found) => (found === first ? 'served' : 'another'), codeOf);
    assert.deepEqual(
      [
        await code('a.test', nowMs),
        await code('a.test', nowMs + 25 * dayMs),
        await code('b.test', nowMs),
        await code('a.test', nowMs + 30 * dayMs),
      ],
      ['served', 'served', 'signer_unavailable', 'signer_unavailable'],
    );
  });
});
