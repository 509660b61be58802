import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { renderPlot } from '../../../bench/report/plot.ts';

const curve = (name: string, costs: readonly number[]) => ({
  name,
  points: costs.map((cost, i) => ({ size: 10 ** (i + 1), cost })),
});
const panel = { title: 'Rules', sizeName: 'rules', curves: [curve('cost', [5, 6, 7])] };

/** Names of elements that are opened and not closed in order. */
function unbalanced(svg: string): string[] {
  const open: string[] = [];
  for (const [, end, name, own] of svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
    if (own === '/') continue;
    if (end === '') open.push(name ?? '');
    else assert.equal(open.pop(), name);
  }
  return open;
}

/** Every number that places something. */
function places(svg: string): number[] {
  const body = svg.slice(svg.indexOf('</style>'));
  return [...body.matchAll(/\b(?:x|y|cx|cy|x1|y1|x2|y2)="([^"]*)"/g)].map(([, value]) => Number(value));
}

describe('the plot of growth', () => {
  it('is an SVG whose elements close in order, and the same for the same figures', () => {
    const svg = renderPlot([panel, { ...panel, title: 'Other' }, { ...panel, title: 'Third' }]);
    assert.deepEqual(unbalanced(svg), []);
    assert.equal(svg, renderPlot([panel, { ...panel, title: 'Other' }, { ...panel, title: 'Third' }]));
  });

  it('text of names is text: none of it is markup', () => {
    const svg = renderPlot([{ ...panel, title: '<b>&"', curves: [curve('a < b', [1, 2])] }]);
    assert.deepEqual(unbalanced(svg), []);
    assert.ok(svg.includes('&lt;b&gt;&amp;&quot;') && svg.includes('a &lt; b'));
  });

  it('what grows as its work lies on the broken line', () => {
    const svg = renderPlot([{ ...panel, curves: [curve('as the work', [3, 30, 300])] }]);
    const work = /<path class="work" d="(M[^"]*)"/.exec(svg)?.[1]?.split(/[ML]/);
    const drawn = /<path class="curve c0" d="(M[^"]*)"/.exec(svg)?.[1]?.split(/[ML]/);
    assert.deepEqual([work?.[1], work?.[2]], [drawn?.[1], drawn?.[3]]);
  });

  it('figures that are none are left out, and nothing is placed at one', () => {
    const odd = curve('odd', [Number.NaN, 0, 5, -3, 6]);
    const svg = renderPlot([{ ...panel, curves: [odd, curve('none', [])] }]);
    assert.equal(svg.match(/<circle class="m0"/g)?.length, 3, 'two points and the legend');
    assert.ok(places(svg).every(Number.isFinite));
    assert.doesNotMatch(svg, /NaN|Infinity/);
  });

  it('one point and no panel at all make a picture too', () => {
    for (const panels of [[], [{ ...panel, curves: [curve('one', [4])] }], [{ ...panel, curves: [] }]]) {
      const svg = renderPlot(panels);
      assert.deepEqual(unbalanced(svg), []);
      assert.doesNotMatch(svg, /NaN|Infinity/);
    }
  });

  it('is legible on a light ground and on a dark one, and asks nobody for anything', () => {
    const svg = renderPlot([panel]);
    assert.match(svg, /@media \(prefers-color-scheme: dark\)/);
    assert.doesNotMatch(svg.replace('http://www.w3.org/2000/svg', ''), /https?:|href|url\(|<script/);
  });
});
