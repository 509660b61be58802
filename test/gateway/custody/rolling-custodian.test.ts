import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { digestParent, type Parent } from '../../../src/gateway/custody/parent.ts';
import { RollingCustodian } from '../../../src/gateway/custody/rolling-custodian.ts';
import { createPair, rootsOf } from '../../../src/pki/certificate-authority.ts';
import { readCertificate } from '../../../src/pki/certificate-fields.ts';
import { pemContents } from '../../../src/pki/pem.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { type ParentRoot, parentRoot } from './support/parent-root.ts';

const startMs = Date.now();
const hourMs = 3_600_000;

function scene({ names = [], certify }: { names?: readonly string[]; certify?: Parent['certify'] } = {}) {
  const root = parentRoot(startMs);
  let nowMs = startMs;
  let above: readonly string[] = [root.pem];
  let fault: Error | undefined;
  let signed = 0;
  const signing = digestParent('a key', async ({ octets }) => {
    if (fault !== undefined) throw fault;
    signed++;
    return root.signDigest(octets);
  });
  const custodian = new RollingCustodian({
    parent: certify === undefined ? signing : { label: 'a parent', certify },
    certificates: async () => above,
    names,
    lifetimeMs: 24 * hourMs,
    clock: () => nowMs,
    random: () => 0.5,
  });
  return {
    root,
    custodian,
    signed: () => signed,
    at: async (hours: number) => {
      nowMs = startMs + hours * hourMs;
      await custodian.look();
    },
    setAbove: (certificates: readonly string[]) => void (above = certificates),
    setFault: (error: Error | undefined) => void (fault = error),
  };
}

const subjectOf = (pem = ''): string =>
  Buffer.from(readCertificate(pemContents(pem)).subject).toString('hex');

describe('an intermediate that is signed elsewhere', () => {
  test('is for a day, below the root, may not have authorities below it, and for servers alone', async () => {
    const { custodian, root, at } = scene({ names: ['example.com'] });
    await using _closing = custodian;
    await at(0);
    const [held] = custodian.held;
    const [own = '', above] = held?.certificates ?? [];
    assert.equal(above, root.pem);
    const fields = readCertificate(pemContents(own));
    assert.deepEqual(
      [fields.authority, fields.pathLength, fields.signsCertificates, fields.purposes],
      [true, 0, true, ['1.3.6.1.5.5.7.3.1']],
    );
    assert.ok(fields.nameConstraints !== undefined);
    assert.ok(Math.abs(fields.notAfterMs - (startMs + 24 * hourMs)) < 1000);
    assert.ok(fields.notBeforeMs <= startMs - 59 * 60_000);
  });

  test('is followed by the next one before a third of its life is left, and the one of before still signs', async () => {
    const { custodian, signed, at } = scene();
    await using _closing = custodian;
    let told = 0;
    custodian.watch(() => told++);
    await at(0);
    const [first] = custodian.held;
    await at(13);
    assert.deepEqual([custodian.held, signed(), told], [[first], 1, 1]);
    await at(14);
    const [second] = custodian.held;
    assert.deepEqual([custodian.held, signed(), told], [[second, first], 2, 2]);
    assert.notEqual(subjectOf(second?.certificates[0]), subjectOf(first?.certificates[0]));
    await at(28);
    assert.deepEqual([custodian.held.length, custodian.held[1], signed()], [2, second, 3]);
  });

  test('goes on while the key is away, which is told once, and asked for less and less often', async () => {
    const { custodian, signed, at, setFault } = scene();
    await using _closing = custodian;
    await at(0);
    const { held } = custodian;
    let told = 0;
    custodian.watch(() => told++);
    setFault(new ProxyError('ca_key_unusable', 'the token is not there'));
    await at(14);
    await at(14);
    await at(15);
    assert.deepEqual([custodian.held, told], [held, 1]);
    assert.match(custodian.fault?.message ?? '', /^a key gave no intermediate: the token is not there$/);
    setFault(undefined);
    await at(15);
    assert.equal(signed(), 1);
    await at(16);
    assert.deepEqual([custodian.held.length, custodian.fault, signed()], [2, undefined, 2]);
  });

  test('is signed anew as soon as what stands above it changes, and further roots are published', async () => {
    const { custodian, root, at, setAbove } = scene();
    await using _closing = custodian;
    await at(0);
    const [before] = custodian.held;
    const next = createPair(startMs).certificates[0] ?? '';
    setAbove([root.pem, next]);
    await at(0.1);
    const [held] = custodian.held;
    assert.notEqual(held, before);
    assert.deepEqual(rootsOf(held?.certificates ?? []), [root.pem, next]);
  });

  test('is refused by another key, below another root, with more names, or with no room for it', async () => {
    const faults: (string | undefined)[] = [];
    const faultOf = async (made: ReturnType<typeof scene>): Promise<void> => {
      await using _closing = made.custodian;
      await made.at(0);
      assert.deepEqual(made.custodian.held, []);
      faults.push(made.custodian.fault?.message);
    };
    const otherKey = scene();
    const stranger = parentRoot(startMs);
    otherKey.setAbove([stranger.pem]);
    await faultOf(otherKey);
    const below =
      (root: ParentRoot): Parent['certify'] =>
      async (request) => {
        const signing = digestParent('x', async ({ octets }) => root.signDigest(octets));
        return [...(await signing.certify({ ...request, above: [root.pem], names: [] })), root.pem];
      };
    await faultOf(scene({ certify: below(parentRoot(startMs)) }));
    const bounded = scene({
      names: ['example.com'],
      certify: async (request) => await below(bounded.root)(request),
    });
    await faultOf(bounded);
    const narrow = parentRoot(startMs, 0);
    const noRoom = scene({ certify: below(narrow) });
    noRoom.setAbove([narrow.pem]);
    await faultOf(noRoom);
    const patterns = [
      /its signature is not that of the first certificate/,
      /signed below a root that is not in certificateAuthority\.signedBy\.certificates/,
      /the chain certifies name-outside\.invalid too/,
      /allows 0 authorities below it \(pathlen\), and there are 1/,
    ];
    assert.equal(faults.length, patterns.length);
    for (const [i, pattern] of patterns.entries()) assert.match(faults[i] ?? '', pattern);
  });
});
