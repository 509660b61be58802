// Netlink (netlink(7)): how the kernel is asked of its networks, in messages of attributes. In the machine's order, which is little on each
// that the jail knows.

import { requireDone } from '../../system/kernel-fault.ts';
import type { Kernel } from './raw-listener.ts';

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;
/** struct nlmsghdr */
const headerBytes = 16;
/** struct nlattr { u16 length, type } */
const attributeHeaderBytes = 4;

export interface NetlinkMessage {
  readonly type: number;
  /** Behind the header. */
  readonly body: Buffer;
}

/** A socket to the kernel itself; no other process is heard. Throws a KernelFault with the name of what is asked. */
export class NetlinkSocket implements Disposable {
  readonly #kernel: Kernel;
  readonly #what: string;
  readonly #fd: number;

  constructor(kernel: Kernel, protocol: number, what: string) {
    const { calls, numbers } = kernel;
    this.#kernel = kernel;
    this.#what = what;
    this.#fd = requireDone(what, calls.call(numbers.socket, AF_NETLINK, SOCK_RAW_CLOEXEC, protocol));
  }

  send(bytes: Buffer): void {
    const { calls, numbers } = this.#kernel;
    requireDone(this.#what, calls.call(numbers.sendto, this.#fd, bytes, bytes.length, 0, 0, 0));
  }

  /** What comes next, of `bytesMax` at most. Throws an Error if it is cut. */
  receive(bytesMax: number, flags = 0): readonly NetlinkMessage[] {
    const { calls, numbers } = this.#kernel;
    const bytes = Buffer.alloc(bytesMax);
    const count = calls.call(numbers.recvfrom, this.#fd, bytes, bytes.length, flags, 0, 0);
    return splitMessages(bytes.subarray(0, requireDone(this.#what, count)));
  }

  [Symbol.dispose](): void {
    const { calls, numbers } = this.#kernel;
    calls.call(numbers.close, this.#fd);
  }
}

export function encodeMessage({
  type,
  flags,
  sequence = 0,
  body,
}: NetlinkMessage & { readonly flags: number; readonly sequence?: number }): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(headerBytes + body.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags, 6);
  header.writeUInt32LE(sequence, 8);
  return Buffer.concat([header, body]);
}

/** Throws an Error for what is no whole message. */
export function splitMessages(bytes: Buffer): readonly NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = at + headerBytes <= bytes.length ? bytes.readUInt32LE(at) : 0;
    if (length < headerBytes || at + length > bytes.length) throw new Error('netlink: a message is cut');
    messages.push({ type: bytes.readUInt16LE(at + 4), body: bytes.subarray(at + headerBytes, at + length) });
    at += aligned(length);
  }
  return messages;
}

/** Its length is without what aligns the next one. */
export function encodeAttribute(type: number, content: Buffer): Buffer {
  const bytes = Buffer.alloc(aligned(attributeHeaderBytes + content.length));
  bytes.writeUInt16LE(attributeHeaderBytes + content.length, 0);
  bytes.writeUInt16LE(type, 2);
  content.copy(bytes, attributeHeaderBytes);
  return bytes;
}

/** The attributes of a body from `start` on. Throws an Error for one that is cut. */
export function readAttributes(body: Buffer, start: number): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = start; at + attributeHeaderBytes <= body.length;) {
    const length = body.readUInt16LE(at);
    if (length < attributeHeaderBytes || at + length > body.length)
      throw new Error('netlink: an attribute is cut');
    found.set(body.readUInt16LE(at + 2), body.subarray(at + attributeHeaderBytes, at + length));
    at += aligned(length);
  }
  return found;
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}
