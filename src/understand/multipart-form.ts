// A form with operations of GraphQL and files (GraphQL multipart request specification), where all servers take it for the same one: two
// fields of JSON in their order, then a file for each name of the second one, and not one octet in between.

import { isAlike, JsonObject, type JsonValue, shownName, UnreadableBody } from './json-value.ts';
import { FormFault, type FormPart, partsOf } from './multipart-parts.ts';
import { type JsonBounds, type JsonText, readJson } from './read-json.ts';
import { isList } from './write-json.ts';

/** Linear in the octets. `value`: the operations, with null where a file is. */
export function readOperationsForm(
  octets: Uint8Array,
  boundary: string,
  bounds: JsonBounds,
): JsonText | UnreadableBody {
  try {
    return new FormReader(octets, boundary, bounds).read();
  } catch (fault) {
    if (fault instanceof FormFault) return new UnreadableBody(fault.message);
    throw fault;
  }
}

/** What servers look for in a form, some of them whether or not it is a file. */
const fieldNames = [
  'operations',
  'map',
  'query',
  'variables',
  'operationName',
  'extensions',
  'documentId',
] as const;

const namePattern = /^[0-9A-Za-z_.-]+$/;

class FormReader {
  readonly #octets: Uint8Array;
  readonly #boundary: string;
  readonly #bounds: JsonBounds;

  constructor(octets: Uint8Array, boundary: string, bounds: JsonBounds) {
    this.#octets = octets;
    this.#boundary = boundary;
    this.#bounds = bounds;
  }

  read(): JsonText {
    const [first, second, ...files] = partsOf(this.#octets, this.#boundary, namePattern);
    const operations = this.#json(first, 'operations');
    const map = this.#json(second, 'map');
    if (!(map.value instanceof JsonObject)) throw new FormFault('is a form whose map is no object');
    const places = new Map(map.value.members);
    for (const { name, filename } of files) {
      if (fieldNames.some((one) => isAlike(one, name)))
        throw new FormFault(
          `is a form with a file ${shownName(name)}, which some servers take for the field`,
        );
      if (filename === undefined || !places.delete(name))
        throw new FormFault(
          `is a form with the field ${shownName(name)}, which its map does not name, or twice`,
        );
    }
    for (const place of map.value.members.values()) checkPlaces(operations.value, place);
    const [count, objects] = [operations.count + map.count, operations.objects + map.objects];
    return { value: operations.value, count, objects };
  }

  #json(part: FormPart | undefined, name: string): JsonText {
    if (part?.name !== name || part.filename !== undefined)
      throw new FormFault(`is a form without the field ${name} in its place`);
    const text = readJson(part.content, this.#bounds);
    if (text instanceof UnreadableBody) throw new FormFault(`is a form whose ${name} ${text.reason}`);
    return text;
  }
}

/** A file takes the place of a null in the variables, and of nothing else. */
function checkPlaces(operations: JsonValue, places: JsonValue): void {
  if (!isList(places) || places.length === 0) throw new FormFault('is a form whose map names no places');
  for (const place of places) {
    const path = typeof place === 'string' ? place.split('.') : [];
    const inBatch = isList(operations) ? path.slice(1) : path;
    if (inBatch[0] !== 'variables' || inBatch.length < 2 || at(operations, path) !== null)
      throw new FormFault('is a form whose map names a place that is not null, or none of a variable');
  }
}

function at(value: JsonValue, path: readonly string[]): JsonValue | undefined {
  let found: JsonValue | undefined = value;
  for (const key of path) {
    if (found === undefined) break;
    if (isList(found)) found = /^(?:0|[1-9]\d{0,5})$/.test(key) ? found[Number(key)] : undefined;
    else found = found instanceof JsonObject ? found.members.get(key) : undefined;
  }
  return found;
}
