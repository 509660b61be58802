// A plot of how costs grow, as SVG: one panel for each series, both axes logarithmic, each curve beside what it was at its smallest size.

import type { Point } from './statistics.ts';
import { format } from './table.ts';

export interface PlotCurve {
  readonly name: string;
  readonly points: readonly Point[];
}

export interface PlotPanel {
  readonly title: string;
  readonly sizeName: string;
  readonly curves: readonly PlotCurve[];
}

const panelWidth = 440;
const frame = { left: 46, top: 40, width: 374, height: 190 };
const legendLine = 16;
/** Told apart by hue and by shape, on a light ground and on a dark one. */
const hues = [
  { light: '#0b5fad', dark: '#6cb2f5' },
  { light: '#b4470e', dark: '#f29a5f' },
  { light: '#1a7a3e', dark: '#6fcf8e' },
  { light: '#7a3fa0', dark: '#c79be8' },
  { light: '#8a6d00', dark: '#e0c14b' },
  { light: '#a01f4f', dark: '#f084a8' },
] as const;

const style = `
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; font-size: 13px; }
.small { font-size: 11px; fill: #57606a; }
.ground { fill: #ffffff; }
.frame { fill: none; stroke: #8c959f; }
.grid { stroke: #d0d7de; }
.work { stroke: #57606a; stroke-dasharray: 5 4; fill: none; }
.curve { fill: none; stroke-width: 2; }
${hues.map(({ light }, i) => `.c${i} { stroke: ${light}; } .m${i} { fill: ${light}; }`).join('\n')}
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .small { fill: #9da7b1; }
  .ground { fill: #0d1117; }
  .frame { stroke: #6e7681; }
  .grid { stroke: #30363d; }
  .work { stroke: #9da7b1; }
${hues.map(({ dark }, i) => `  .c${i} { stroke: ${dark}; } .m${i} { fill: ${dark}; }`).join('\n')}
}
`;

function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

interface Scale {
  readonly least: number;
  readonly greatest: number;
  at(value: number): number;
}

function logScale(least: number, greatest: number, from: number, to: number): Scale {
  const span = Math.log(greatest / least);
  const at = (value: number): number =>
    from + (span === 0 ? 0 : Math.log(value / least) / span) * (to - from);
  return { least, greatest, at };
}

/** 1, 10, 100 …, and 2 and 5 between them where there is room for few decades. */
function ticks(least: number, greatest: number): number[] {
  const steps = greatest / least > 300 ? [1] : greatest / least > 20 ? [1, 3] : [1, 2, 5];
  const found: number[] = [];
  for (let decade = 10 ** Math.floor(Math.log10(least)); decade <= greatest; decade *= 10)
    for (const step of steps) {
      const value = Number((step * decade).toPrecision(1));
      if (value >= least * 0.999 && value <= greatest * 1.001) found.push(value);
    }
  return found;
}

function sizeText(size: number): string {
  if (size >= 1e6) return `${format(size / 1e6).replace(/\.0+$/, '')} M`;
  return size >= 1000 ? `${format(size / 1000).replace(/\.0+$/, '')} k` : `${size}`;
}

function relativeText(value: number): string {
  return `${value < 1 ? value.toPrecision(1) : sizeText(value)} ×`;
}

/** Each curve divided by what it is at its smallest size. */
function relative({ points }: PlotCurve): Point[] {
  const sorted = points.filter(({ cost }) => cost > 0).toSorted((a, b) => a.size - b.size);
  const [first] = sorted;
  return sorted.map(({ size, cost }) => ({ size, cost: cost / (first?.cost ?? 1) }));
}

function mark(index: number, x: number, y: number): string {
  const at = `${x.toFixed(1)} ${y.toFixed(1)}`;
  const shapes = [
    `<circle class="m${index}" cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3.5"/>`,
    `<path class="m${index}" d="M${at}m-3.5 -3.5h7v7h-7z"/>`,
    `<path class="m${index}" d="M${at}m0 -4.5l4.5 8h-9z"/>`,
    `<path class="m${index}" d="M${at}m0 -4.5l4.5 4.5l-4.5 4.5l-4.5 -4.5z"/>`,
    `<path class="m${index}" d="M${at}m0 4.5l4.5 -8h-9z"/>`,
    `<path class="m${index}" d="M${at}m-4.5 -1.5h9v3h-9z"/>`,
  ];
  return shapes[index] ?? '';
}

function axes(panel: PlotPanel, x: Scale, y: Scale): string {
  const { left, top, width, height } = frame;
  const bottom = top + height;
  const lines = [`<text class="title" x="${left}" y="20">${escapeText(panel.title)}</text>`];
  for (const value of ticks(x.least, x.greatest)) {
    const at = x.at(value).toFixed(1);
    lines.push(
      `<line class="grid" x1="${at}" y1="${top}" x2="${at}" y2="${bottom}"/>`,
      `<text class="small" x="${at}" y="${bottom + 15}" text-anchor="middle">${sizeText(value)}</text>`,
    );
  }
  for (const value of ticks(y.least, y.greatest)) {
    const at = y.at(value);
    lines.push(
      `<line class="grid" x1="${left}" y1="${at.toFixed(1)}" x2="${left + width}" y2="${at.toFixed(1)}"/>`,
      `<text class="small" x="${left - 5}" y="${(at + 4).toFixed(1)}" text-anchor="end">${relativeText(value)}</text>`,
    );
  }
  lines.push(
    `<rect class="frame" x="${left}" y="${top}" width="${width}" height="${height}"/>`,
    `<text class="small" x="${left + width}" y="${bottom + 30}" text-anchor="end">${escapeText(panel.sizeName)}</text>`,
  );
  return lines.join('\n');
}

function drawPanel(panel: PlotPanel): string {
  const curves = panel.curves
    .slice(0, hues.length)
    .map((curve) => ({ name: curve.name, points: relative(curve) }));
  const all = curves.flatMap(({ points }) => points);
  const sizes = all.map(({ size }) => size);
  const costs = all.map(({ cost }) => cost);
  const { left, top, width, height } = frame;
  const bottom = top + height;
  const x = logScale(Math.min(...sizes), Math.max(...sizes), left + 8, left + width - 8);
  // Room below and above, so that a curve that does not grow is a line inside of the frame.
  const y = logScale(Math.min(0.5, ...costs), Math.max(8, ...costs) * 1.2, bottom, top);
  // As the work: ten times the size, ten times the cost, as far as the frame goes.
  const end = Math.min(x.greatest / x.least, y.greatest);
  const work = `<path class="work" d="M${x.at(x.least).toFixed(1)} ${y.at(1).toFixed(1)}L${x.at(x.least * end).toFixed(1)} ${y.at(end).toFixed(1)}"/>`;
  const drawn = curves.map(({ name, points }, i) => {
    const at = points.map(({ size, cost }) => [x.at(size), y.at(cost)] as const);
    const path = at.map(([px, py]) => `${px.toFixed(1)} ${py.toFixed(1)}`).join('L');
    const lineY = bottom + 48 + i * legendLine;
    return [
      path === '' ? '' : `<path class="curve c${i}" d="M${path}"/>`,
      ...at.map(([px, py]) => mark(i, px, py)),
      mark(i, left + 6, lineY - 4),
      `<text x="${left + 18}" y="${lineY}">${escapeText(name)}</text>`,
    ].join('\n');
  });
  return [axes(panel, x, y), work, ...drawn].join('\n');
}

/** Two panels a row; empty ones are left out. */
export function renderPlot(panels: readonly PlotPanel[]): string {
  const shown = panels.filter(({ curves }) =>
    curves.some(({ points }) => points.some(({ cost }) => cost > 0)),
  );
  const rows = Math.ceil(shown.length / 2);
  const legends = Math.max(1, ...shown.map(({ curves }) => Math.min(curves.length, hues.length)));
  const panelHeight = frame.top + frame.height + 48 + legends * legendLine;
  const width = panelWidth * Math.min(2, Math.max(1, shown.length));
  const height = panelHeight * rows + 26;
  const drawn = shown.map((panel, i) => {
    const place = `translate(${(i % 2) * panelWidth} ${Math.floor(i / 2) * panelHeight})`;
    return `<g transform="${place}">\n${drawPanel(panel)}\n</g>`;
  });
  const key = `<path class="work" d="M46 ${height - 14}h30"/><text class="small" x="82" y="${height - 10}">as the work grows; each curve beside its own first point</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="How costs grow with the size of what is there">
<style>${style}</style>
<rect class="ground" width="${width}" height="${height}"/>
${drawn.join('\n')}
${key}
</svg>
`;
}
