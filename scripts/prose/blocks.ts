// The texts of a file that a person reads, each with the places of its characters: of a document in Markdown, and of literals in a source.

import { fromMarkdown } from 'mdast-util-from-markdown';
import { gfmTableFromMarkdown } from 'mdast-util-gfm-table';
import { gfmTable } from 'micromark-extension-gfm-table';
import { parseSync } from 'oxc-parser';

/** `head`: the name of a table's column. */
export type BlockKind = 'heading' | 'paragraph' | 'item' | 'head' | 'cell' | 'literal';

export interface Block {
  readonly kind: BlockKind;
  /** Words as they are read. Code stands as the word `Code`, a line break as a space. */
  readonly text: string;
  /** Of each character of `text`, its offset in the file. */
  readonly offsets: readonly number[];
  /** Of a heading. */
  readonly level?: number;
}

export interface Link {
  readonly text: string;
  readonly target: string;
  readonly image: boolean;
  readonly offset: number;
}

export interface Fence {
  readonly language: string;
  readonly offset: number;
}

/** `<!-- prose: RULE, because … -->`: the rule does not hold for the next block. */
export interface Allowance {
  readonly rule: string;
  readonly reason: string;
  readonly offset: number;
  /** Start and end of the block that it stands before. */
  readonly covers: readonly [start: number, end: number];
}

export interface ProseText {
  readonly blocks: readonly Block[];
  readonly links: readonly Link[];
  readonly fences: readonly Fence[];
  readonly allowances: readonly Allowance[];
}

/** What is used of a node of mdast. */
interface MarkdownNode {
  readonly type: string;
  readonly value?: string;
  readonly children?: readonly MarkdownNode[];
  readonly depth?: number;
  readonly url?: string;
  readonly alt?: string | null;
  readonly lang?: string | null;
  readonly position?: {
    readonly start: { readonly offset?: number };
    readonly end: { readonly offset?: number };
  };
}

const startOf = (node: MarkdownNode): number => node.position?.start.offset ?? 0;
const endOf = (node: MarkdownNode): number => node.position?.end.offset ?? 0;

const kinds: Readonly<Record<string, BlockKind>> = {
  heading: 'heading',
  paragraph: 'paragraph',
  tableCell: 'cell',
};

export function readMarkdown(source: string): ProseText {
  const blocks: Block[] = [];
  const links: Link[] = [];
  const fences: Fence[] = [];
  const allowances: Allowance[] = [];
  const visit = (node: MarkdownNode, parent: string): void => {
    const kind = kinds[node.type];
    if (kind !== undefined) {
      blocks.push(blockOf(source, node, kind === 'paragraph' && parent === 'listItem' ? 'item' : kind));
    }
    if (node.type === 'code') fences.push({ language: node.lang ?? '', offset: startOf(node) });
    if (node.type === 'link' || node.type === 'image') links.push(linkOf(node));
    for (const [index, child] of (node.children ?? []).entries()) {
      if (child.type === 'html') {
        const next = node.children?.slice(index + 1).find(({ type }) => type !== 'html');
        const found = allowanceOf(child, next);
        if (found !== undefined) allowances.push(found);
      }
      if (node.type === 'table' && index === 0)
        for (const cell of child.children ?? []) blocks.push(blockOf(source, cell, 'head'));
      else visit(child, node.type);
    }
  };
  // mdast's own types name each node; the tree is read by the fields that all have in common.
  const tree = fromMarkdown(source, {
    extensions: [gfmTable()],
    mdastExtensions: [gfmTableFromMarkdown()],
  }) as MarkdownNode;
  visit(tree, '');
  return { blocks, links, fences, allowances };
}

function linkOf(node: MarkdownNode): Link {
  const image = node.type === 'image';
  const words = (one: MarkdownNode): string => one.value ?? (one.children ?? []).map(words).join('');
  return {
    text: image ? (node.alt ?? '') : words(node),
    target: node.url ?? '',
    image,
    offset: startOf(node),
  };
}

function allowanceOf(node: MarkdownNode, next: MarkdownNode | undefined): Allowance | undefined {
  const [, rule, reason] = /^<!-- prose: ([a-z-]+), because (.+) -->$/.exec(node.value ?? '') ?? [];
  if (rule === undefined || reason === undefined) return undefined;
  const covers = next === undefined ? ([0, 0] as const) : ([startOf(next), endOf(next)] as const);
  return { rule, reason, offset: startOf(node), covers };
}

function blockOf(source: string, node: MarkdownNode, kind: BlockKind): Block {
  let text = '';
  const offsets: number[] = [];
  const put = (value: string, offset: number): void => {
    text += value;
    for (let index = 0; index < value.length; index += 1) offsets.push(offset);
  };
  const visit = (one: MarkdownNode): void => {
    if (one.type === 'inlineCode') put('Code', startOf(one));
    else if (one.type === 'break') put(' ', startOf(one));
    else if (one.type === 'text') {
      // The value is the source without escapes and the indentation of further lines.
      let at = startOf(one);
      for (const character of (one.value ?? '').split('')) {
        while (source[at] !== character && at < endOf(one)) at += 1;
        put(character === '\n' ? ' ' : character, Math.min(at, endOf(one)));
        at += 1;
      }
    } else for (const child of one.children ?? []) visit(child);
  };
  visit(node);
  if (text === '') offsets.push(startOf(node));
  return { kind, text, offsets, ...(node.depth === undefined ? {} : { level: node.depth }) };
}

/** Literals that are sentences: at least four words. */
const isSentence = (text: string): boolean => /^\S+(?: \S+){3,}/.test(text.trim());

interface SourceNode {
  readonly type?: string;
  readonly value?: unknown;
  readonly start?: number;
  readonly end?: number;
}

/** An example of a command: its words are those of the command. */
const commandLine = /^upstreamproxy [a-z].* --[a-z]/;

/** What a program says: its literals and templates that are sentences. Spans in backticks are code. */
export function readSource(file: string, source: string): ProseText {
  const blocks: Block[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(visit);
    if (typeof value !== 'object' || value === null) return;
    const node = value as SourceNode;
    const { type, start = 0, end = 0 } = node;
    const isText = type === 'Literal' && typeof node.value === 'string';
    if (isText || type === 'TemplateElement') {
      const raw = source.slice(isText ? start + 1 : start, isText ? end - 1 : end);
      if (isSentence(raw) && !commandLine.test(raw))
        blocks.push(literalBlock(raw, isText ? start + 1 : start));
    }
    if (type !== 'ImportDeclaration') Object.values(value).forEach(visit);
  };
  visit(parseSync(file, source).program);
  return { blocks, links: [], fences: [], allowances: [] };
}

function literalBlock(raw: string, start: number): Block {
  let text = '';
  const offsets: number[] = [];
  for (const { 0: part, index } of raw.matchAll(/`[^`]*`|\\(?:n|.)|[^]/g)) {
    const read =
      part.startsWith('`') && part.length > 1 ? 'Code' : part.startsWith('\\') ? escaped(part) : part;
    for (const character of read.split('')) {
      text += character === '\n' ? ' ' : character;
      offsets.push(start + index);
    }
  }
  return { kind: 'literal', text, offsets };
}

const escaped = (part: string): string => (part === '\\n' ? ' ' : part.slice(1));
