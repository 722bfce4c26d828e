// Written by `Mapping::export` from the Rust schema `Mapping` of `it::mapping`: change that and export again.
import type { Schema } from "tidewire";

export type Adjacent =
  | { kind: "Nothing" }
  | { kind: "One"; data: number }
  | { kind: "Two"; data: [number, string] }
  | { kind: "Named"; data: { text: string } };

export type Bytes = {
  id: string;
  /** A list of numbers. */
  raw: Array<number>;
  /** Base64: a third of the size. */
  packed: string;
};

export type External =
  | "Nothing"
  | { One: number }
  | { Two: [number, string] }
  | { Named: { text: string } };

export type Flat = { own: number; value: number } & (
  | { type: "nothing" }
  | { type: "holds" } & Inner
  | { type: "named"; someText: string });

export type Inner = {
  value: number;
};

export type Internal =
  | { type: "nothing" }
  | { type: "holds" } & Inner
  | { type: "named"; someText: string };

export type JsonValue =
  | number
  | string
  | boolean
  | Array<JsonValue>
  | { [key in string]: JsonValue }
  | null;

export type Lists = {
  list: Array<number>;
  set: Array<string>;
  array: [number, number, number];
  pair: [string, number];
  unit: null;
};

export type Maps = {
  by_text: { [key in string]: number };
  by_number: { [key in number]: string };
  by_variant: { [key in Unit]?: number };
};

/** One value is as what it holds. */
export type Newtype = string;

export type Nothing = null;

/** Numbers. A JavaScript number is exact up to 2^53. */
export type Numbers = {
  small: number;
  signed: number;
  large: number;
  float: number;
  /** Beyond 2^53: a text. */
  exact: string;
};

/** Words that this version does not know are read as `Other`. */
export type Open = "known" | "other";

export type Options = {
  /** `null`, or there. */
  nullable: string | null;
  /** Absent, or there. */
  absent?: number;
  /** Absent where it is empty. */
  tags?: Array<string>;
  /** Always written; who sends it may leave it out. */
  defaulted: number;
};

export type Others = {
  json: JsonValue;
  outcome: { Ok: number } | { Err: string };
};

export type Page<Item> = {
  items: Array<Item>;
  next: Item | null;
};

export type Renamed = {
  twoWords: number;
  "content-type": number;
  aliased: number;
  type: number;
};

/** Texts. */
export type Texts = {
  string: string;
  letter: string;
  boxed: string;
  address: string;
};

export type Times = {
  /** `2026-01-02T03:04:05Z`. */
  moment: string;
  day: string;
  /** Seconds and nanoseconds. */
  delta: [number, number];
  /** Milliseconds since 1970. */
  at_ms: number;
  time: string;
  duration: { secs: number; nanos: number };
};

export type Transparent = Array<number>;

export type Tree = {
  value: number;
  children: Array<Tree>;
};

export type TupleStruct = [number, string];

export type Unit = "first_one" | "2nd";

export type Untagged = number | string | { text: string };

/** The topics of Mapping, by pattern. */
export interface MappingTopics {
  "texts": { event: Texts; publish: Texts; snapshot: Array<Texts> };
  "numbers": { event: Numbers; publish: Numbers; snapshot: Array<Numbers> };
  "options": { event: Options; publish: Options; snapshot: Array<Options> };
  "lists": { event: Lists; publish: Lists; snapshot: Array<Lists> };
  "maps": { event: Maps; publish: Maps; snapshot: Array<Maps> };
  "times": { event: Times; publish: Times; snapshot: Array<Times> };
  "bytes": { event: Bytes; publish: Bytes; snapshot: Array<Bytes> };
  "enum:unit": { event: Unit; publish: Unit; snapshot: Array<Unit> };
  "enum:external": { event: External; publish: External; snapshot: Array<External> };
  "enum:internal": { event: Internal; publish: Internal; snapshot: Array<Internal> };
  "enum:adjacent": { event: Adjacent; publish: Adjacent; snapshot: Array<Adjacent> };
  "enum:untagged": { event: Untagged; publish: Untagged; snapshot: Array<Untagged> };
  "enum:open": { event: Open; publish: Open; snapshot: Array<Open> };
  "newtype": { event: Newtype; publish: Newtype; snapshot: Array<Newtype> };
  "transparent": { event: Transparent; publish: Transparent; snapshot: Array<Transparent> };
  "tuple": { event: TupleStruct; publish: TupleStruct; snapshot: Array<TupleStruct> };
  "nothing": { event: Nothing; publish: Nothing; snapshot: Array<Nothing> };
  "renamed": { event: Renamed; publish: Renamed; snapshot: Array<Renamed> };
  "flat": { event: Flat; publish: Flat; snapshot: Array<Flat> };
  "generic": { event: Page<Inner>; publish: Page<Inner>; snapshot: Array<Page<Inner>> };
  "tree": { event: Tree; publish: Tree; snapshot: Array<Tree> };
  "others": { event: Others; publish: Others; snapshot: Array<Others> };
}

/** One topic for each kind of type. */
export const mapping: Schema<MappingTopics> = {
  name: "Mapping",
  entries: {
    "texts": "6f320cf3e077f473",
    "numbers": "a092f4bcda06f5b3",
    "options": "2f7c36bea6455089",
    "lists": "63224a74b6dfbf03",
    "maps": "211a933301cf24bf",
    "times": "b6a3997cc2fa4933",
    "bytes": "b0f118be1d1ae46f",
    "enum:unit": "4084d94e91d34053",
    "enum:external": "67965ee0423e3339",
    "enum:internal": "3cfaa541909f6a9f",
    "enum:adjacent": "dfea9aac10cd1a9f",
    "enum:untagged": "b1e95dc00029de13",
    "enum:open": "152b2748110f450f",
    "newtype": "6c560fc47b502967",
    "transparent": "b4d8a1373be1dc0b",
    "tuple": "123c621c60005f87",
    "nothing": "b9872607a3d48e6f",
    "renamed": "37319e390809ad8d",
    "flat": "6146b3fe5a27108b",
    "generic": "bc75588ef9c62f1d",
    "tree": "4c58a745eefa8b9b",
    "others": "93242f09a2d4bb85",
  },
};
