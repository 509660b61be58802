import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { lossRules } from '../../../bench/link/lossy-namespace.ts';

describe('the namespace that loses packets', () => {
  it('drops so many of a thousand, to and from its ports alone', () => {
    const text = lossRules(1.5, [17_020, 17_021]);
    assert.equal(text.match(/numgen random mod 1000 < 15 drop$/gm)?.length, 2);
    assert.match(text, /tcp dport \{ 17020, 17021 \}/);
    assert.match(text, /tcp sport \{ 17020, 17021 \}/);
    assert.doesNotMatch(text, /policy/);
  });
});
