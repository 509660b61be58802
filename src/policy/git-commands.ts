// What a push asks for: the list of commands that its body begins with, before the pack.
// https://git-scm.com/docs/pack-protocol ("Reference Update Request"), https://git-scm.com/docs/protocol-common (pkt-line)

import { joinedBytes } from '../http/joined-bytes.ts';
import { ProxyError } from '../protocol/error.ts';

export type RefChange = 'create' | 'update' | 'delete';

/** One command of a push. */
export interface RefUpdate {
  /** Whole name: `refs/heads/main`. */
  readonly ref: string;
  readonly change: RefChange;
}

export interface PushCommands {
  readonly updates: readonly RefUpdate[];
  /** `git push -o`: what else the server is asked to do, in words of its own. */
  readonly options: readonly string[];
  /** What the client says that it understands; it decides how a response looks. */
  readonly capabilities: ReadonlySet<string>;
}

/** git's LARGE_PACKET_MAX. */
const packetBytesMax = 65_520;

/**
 * Reads the list from the beginning of a body, piece by piece. Stricter than git: what two servers could read in two
 * ways is refused.
 */
export class PushCommandReader {
  readonly #list = new CommandList();
  #pieces: Uint8Array[] = [];
  #length = 0;
  /** Bytes without which the next packet is not complete: pieces are joined no earlier, however small they are. */
  #needed = 4;

  /** Undefined while the end of the list is not there. @throws ProxyError request_malformed */
  push(piece: Uint8Array): PushCommands | undefined {
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.#length < this.#needed) return undefined;
    const bytes = joinedBytes(this.#pieces);
    let at = 0;
    this.#needed = 4;
    while (bytes.length >= at + 4) {
      const length = packetLength(bytes.subarray(at, at + 4));
      if (length === 0 && this.#list.end()) return this.#list.commands();
      if (length === 0) {
        at += 4;
        continue;
      }
      if (bytes.length < at + length) {
        this.#needed = length;
        break;
      }
      this.#list.add(decodeLine(bytes.subarray(at + 4, at + length)));
      at += length;
    }
    this.#pieces = [bytes.subarray(at)];
    this.#length = bytes.length - at;
    return undefined;
  }
}

function packetLength(digits: Uint8Array): number {
  const text = String.fromCharCode(...digits);
  const length = /^[0-9a-fA-F]{4}$/.test(text) ? Number.parseInt(text, 16) : Number.NaN;
  // 1 and 2 are delimiters of protocol 2, which pushes do not speak; 4 is a packet with nothing in it.
  if (length === 0 || (length > 4 && length <= packetBytesMax)) return length;
  throw malformed('a packet has no valid length');
}

function decodeLine(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw malformed('a name is not UTF-8', error);
  }
}

class CommandList {
  readonly #updates: RefUpdate[] = [];
  readonly #capabilities = new Set<string>();
  readonly #options: string[] = [];
  /** Those that a signed push repeats in its certificate. */
  #signedOptions: readonly string[] | undefined;
  #isInOptions = false;
  #lines = 0;
  #idLength: number | undefined;
  /** Lines of a signed push, while they are read. */
  #certificate: string[] | undefined;
  #hasCertificate = false;

  add(packet: string): void {
    if (this.#isInOptions) {
      this.#options.push(optionOf(packet));
      return;
    }
    const isFirst = this.#lines === 0;
    const line = packet.replace(/\n$/, '');
    if (this.#certificate !== undefined) {
      // A server joins the packets of a certificate and looks for lines in the whole: each has to be one line.
      if (line === packet || /[\n\0]/.test(line)) throw malformed('its certificate is not made of lines');
      if (line === 'push-cert-end') this.#endCertificate(this.#certificate);
      else this.#certificate.push(line);
      return;
    }
    if (/^shallow [0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(line)) return;
    this.#lines += 1;
    const [command = '', capabilities, ...more] = line.split('\0');
    if (more.length > 0 || (capabilities !== undefined && !isFirst))
      throw malformed('capabilities stand behind the first command only');
    for (const one of capabilities?.split(' ') ?? []) if (one !== '') this.#capabilities.add(one);
    // Servers look for the word between any white space, and before an equals sign too.
    if (/(?:^|\s)push-options(?:[\s=]|$)/.test(capabilities ?? '') && !this.#capabilities.has('push-options'))
      throw malformed('it cannot be told whether it has options');
    if (command === 'push-cert') {
      if (this.#hasCertificate) throw malformed('it has two certificates');
      [this.#certificate, this.#hasCertificate] = [[], true];
    } else this.#command(command);
  }

  /** Whether that was the last packet before the pack: options follow the commands where the client says so. */
  end(): boolean {
    if (this.#certificate !== undefined) throw malformed('its certificate has no end');
    // Without a command a server reads no options.
    if (!this.#isInOptions && this.#capabilities.has('push-options') && this.#updates.length > 0) {
      this.#isInOptions = true;
      return false;
    }
    const signed = this.#signedOptions;
    if (signed !== undefined && JSON.stringify(signed) !== JSON.stringify(this.#options))
      throw malformed('its options are not those of its certificate');
    return true;
  }

  commands(): PushCommands {
    return { updates: this.#updates, options: this.#options, capabilities: this.#capabilities };
  }

  /** Commands stand between the empty line and the signature. */
  #endCertificate(lines: readonly string[]): void {
    this.#certificate = undefined;
    const empty = lines.indexOf('');
    const signature = lines.findIndex((line, i) => i > empty && line.startsWith('-----BEGIN '));
    if (empty < 0 || signature < 0) throw malformed('its certificate has no signature');
    // A server could look for the last signature, and take what is before it for commands.
    if (lines.slice(signature + 1).some((line) => line.startsWith('-----BEGIN ')))
      throw malformed('its certificate has two signatures');
    const word = 'push-option ';
    const head = lines.slice(0, empty).filter((line) => line.startsWith(word));
    this.#signedOptions = head.map((line) => line.slice(word.length));
    for (const line of lines.slice(empty + 1, signature)) this.#command(line);
  }

  #command(line: string): void {
    const [, before, after, ref] =
      /^([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) ([^\n]+)$/.exec(line) ?? [];
    if (before === undefined || after === undefined || ref === undefined)
      throw malformed('a command is not "old new ref"');
    this.#idLength ??= before.length;
    if (before.length !== this.#idLength || after.length !== this.#idLength)
      throw malformed('its object names have different lengths');
    const problem = refProblem(ref);
    if (problem !== undefined) throw malformed(problem);
    const change = isNone(after) ? 'delete' : isNone(before) ? 'create' : 'update';
    this.#updates.push({ ref, change });
  }
}

/** One line without what a server could end it at, or take for an error of ours. */
function optionOf(packet: string): string {
  const option = packet.replace(/\n$/, '');
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(option) || option.startsWith('ERR '))
    throw malformed('an option is not one line of text');
  return option;
}

/** No object: the ref is not there before, or not behind. */
function isNone(id: string): boolean {
  return /^0+$/.test(id);
}

/** git-check-ref-format(1); names of one spelling only, so that a pattern sees what the server sees. */
function refProblem(ref: string): string | undefined {
  const isWellFormed =
    ref.startsWith('refs/') &&
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    !/[\u0000- \u007f~^:?*[\\]|\.\.|@\{|\/\/|[/.]$/.test(ref) &&
    ref.split('/').every((segment) => !segment.startsWith('.') && !segment.endsWith('.lock'));
  return isWellFormed ? undefined : 'a ref has a name that git does not allow';
}

function malformed(reason: string, cause?: unknown): ProxyError {
  return new ProxyError('request_malformed', `The push cannot be judged: ${reason}.`, { cause });
}
