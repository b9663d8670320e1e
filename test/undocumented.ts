// The public names, and the members of what they lead to, that have no doc comment: where an editor would show nothing.
import { relative } from "node:path";
import ts from "typescript-5";

/** What is public, and what of it is left out. */
export interface Scope {
  /** Modules of which every export is public. */
  entries: readonly string[];
  /** Only what such files declare is looked at. */
  isOwn(file: string): boolean;
  /** Types that are handed through, not read: their members need no comments. */
  opaque?: readonly string[];
}

const options: ts.CompilerOptions = {
  ...{ target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.NodeNext, strict: true, noEmit: true, skipLibCheck: true },
  ...{ allowImportingTsExtensions: true, types: [] },
};

/** Reads the libraries of the language once. */
const host = ts.createCompilerHost(options);
const libraries = new Map<string, ts.SourceFile | undefined>();
const read = host.getSourceFile;
host.getSourceFile = (file, ...rest) => {
  if (!file.includes("typescript-5")) return read(file, ...rest);
  if (!libraries.has(file)) libraries.set(file, read(file, ...rest));
  return libraries.get(file);
};

/**
 * Every exported name, and every member of the types that those lead to, without a doc comment: members of classes (but
 * private ones), interfaces and literal types, through properties, parameters and results. What is tagged `@internal` is not public.
 */
export function undocumented(scope: Scope): string[] {
  const program = ts.createProgram([...scope.entries], options, host);
  const search = new Search(program.getTypeChecker(), scope);
  for (const entry of scope.entries) search.module(program.getSourceFile(entry)!);
  return [...search.missing].sort();
}

const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;

class Search {
  readonly missing = new Set<string>();
  private readonly seen = new Set<ts.Type>();
  private readonly checker: ts.TypeChecker;
  private readonly scope: Scope;

  constructor(checker: ts.TypeChecker, scope: Scope) {
    this.checker = checker;
    this.scope = scope;
  }

  module(source: ts.SourceFile): void {
    const module = this.checker.getSymbolAtLocation(source);
    if (!module) throw new Error(`${source.fileName} exports nothing`);
    for (const exported of this.checker.getExportsOfModule(module)) {
      const isAlias = exported.flags & ts.SymbolFlags.Alias;
      const symbol = isAlias ? this.checker.getAliasedSymbol(exported) : exported;
      this.check(symbol, symbol.name);
      if (symbol.flags & ts.SymbolFlags.Type) this.type(this.checker.getDeclaredTypeOfSymbol(symbol), symbol.name);
      if (symbol.flags & ts.SymbolFlags.Value) this.type(this.checker.getTypeOfSymbol(symbol), symbol.name);
    }
  }

  /** The members of a type, and of all types that lead on from it. `path`: how it was come by. */
  private type(type: ts.Type, path: string): void {
    if (this.seen.has(type)) return;
    this.seen.add(type);
    const named = [type.aliasSymbol, type.symbol].find((symbol) => symbol && !symbol.name.startsWith("__"));
    if (named && this.scope.opaque?.includes(named.name)) return;
    if (type.isUnionOrIntersection()) for (const part of type.types) this.type(part, path);
    for (const argument of this.argumentsOf(type)) this.type(argument, path);
    for (const signature of [...type.getCallSignatures(), ...type.getConstructSignatures()])
      if (!isInternal(signature)) this.signature(signature, path);
    const owner = named && this.isOwn(named) && !(named.flags & ts.SymbolFlags.Function) ? named.name : path;
    const isOfOthers = type.isUnionOrIntersection() || this.checker.isTupleType(type);
    const members = isOfOthers ? [] : type.getProperties();
    for (const member of members) this.member(member, owner);
  }

  private argumentsOf(type: ts.Type): readonly ts.Type[] {
    const { objectFlags = 0 } = type as Partial<ts.ObjectType>;
    const isReference = type.flags & ts.TypeFlags.Object && objectFlags & ts.ObjectFlags.Reference;
    const given = isReference ? this.checker.getTypeArguments(type as ts.TypeReference) : [];
    return [...given, ...(type.aliasTypeArguments ?? [])];
  }

  private member(member: ts.Symbol, owner: string): void {
    if (member.flags & ts.SymbolFlags.Prototype || isInternal(member)) return;
    const [declaration] = member.declarations ?? [];
    if (!declaration) this.missing.add(`${owner}.${member.name} (computed)`);
    if (!declaration || !this.isOwn(member)) return;
    const name = ts.getNameOfDeclaration(declaration);
    if (name && ts.isPrivateIdentifier(name)) return;
    if (ts.getCombinedModifierFlags(declaration) & hidden) return;
    const path = `${owner}.${member.name}`;
    this.check(member, path);
    this.type(this.checker.getTypeOfSymbol(member), path);
  }

  private signature(signature: ts.Signature, path: string): void {
    for (const parameter of signature.parameters) this.type(this.checker.getTypeOfSymbol(parameter), path);
    this.type(signature.getReturnType(), path);
  }

  private check(symbol: ts.Symbol, path: string): void {
    if (!this.isOwn(symbol) || symbol.getDocumentationComment(this.checker).length > 0) return;
    this.missing.add(`${path} (${relative(process.cwd(), symbol.declarations![0]!.getSourceFile().fileName)})`);
  }

  private isOwn(symbol: ts.Symbol): boolean {
    return symbol.declarations?.some((one) => this.scope.isOwn(one.getSourceFile().fileName)) ?? false;
  }
}

const isInternal = (item: ts.Symbol | ts.Signature): boolean =>
  item.getJsDocTags().some(({ name }) => name === "internal");
