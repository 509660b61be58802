import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addCredit, bounded } from '../../src/protocol/tunnel-fault.ts';

test('credit may reach 2^31 - 1 and not one byte more', () => {
  assert.equal(addCredit(0x7fff_fffe, 1, 'stream 1'), 0x7fff_ffff);
  assert.throws(() => addCredit(0x7fff_ffff, 1, 'stream 1'), { code: 'flow_control', message: /stream 1/ });
});

test('a long message is cut and one with half a character stays readable', () => {
  assert.equal(bounded('short'), 'short');
  assert.equal(bounded('x'.repeat(501)), `${'x'.repeat(500)}…`);
  assert.equal(bounded('\ud83c'), '\ufffd');
  assert.equal(bounded(`${'x'.repeat(499)}🌍`), `${'x'.repeat(499)}\ufffd…`);
});
