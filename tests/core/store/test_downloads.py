"""What was fetched into a raw directory, and when an observation is complete."""

import multiprocessing
import os

import pytest

from daxa.exceptions import ArchiveNotFoundError, DamagedRecordError, StorageError
from daxa.specs import Want
from daxa.store.downloads import DownloadRecord, FileEntry

RAW, BOTH = Want(products=False, instruments=("PN",)), Want(instruments=("PN",))
SERVICE = "http://127.0.0.1:1/xsa"


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "xmm_pointed_raw"


@pytest.fixture
def downloads(directory):
    with DownloadRecord.open(directory) as downloads:
        yield downloads


@pytest.fixture
def fetched(directory):
    def make(obs_id="0404910601", path="ODF/a.FIT", part_of="both", content=b"data", **columns):
        file = directory / obs_id / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        columns = {"url": f"{SERVICE}/{path}", "sha256": "0" * 64, "service": SERVICE} | columns
        return FileEntry(obs_id=obs_id, path=path, part_of=part_of, size=len(content), **columns)

    return make


def test_file_comes_back_as_it_was(downloads, fetched, directory):
    entry = fetched(served_size=3, etag='"x"', attempts=2, fetched_at=1.5, mtime_ns=7)
    dated = fetched(path="b.FIT")
    downloads.record_file(entry, dated).result()
    first, second = downloads.files("0404910601")
    assert first == entry
    assert second.mtime_ns == (directory / "0404910601" / "b.FIT").stat().st_mtime_ns
    assert downloads.files("other") == []
    assert len(downloads.files()) == 2


def test_file_that_is_not_there(downloads, fetched, directory):
    entry = fetched()
    (directory / "0404910601" / "ODF" / "a.FIT").unlink()
    with pytest.raises(StorageError, match=r"a\.FIT is not there"):
        downloads.record_file(entry).result()
    assert downloads.files() == []


def test_complete(downloads, fetched, directory):
    obs = "0404910601"
    assert not downloads.complete(obs, RAW, SERVICE)
    downloads.record_file(fetched(), fetched(path="pps/p.FTZ", part_of="products")).result()
    assert not downloads.complete(obs, RAW, SERVICE), "files alone do not say that there are no more"
    downloads.record_observation(obs, BOTH, "complete", SERVICE).result()
    assert downloads.complete(obs, BOTH, SERVICE)
    assert downloads.complete(obs, RAW, SERVICE)
    assert not downloads.complete(obs, BOTH, "http://elsewhere"), "another address is another archive"
    assert not downloads.complete(obs, Want(instruments=("PN", "M1")), SERVICE)

    product = directory / obs / "pps" / "p.FTZ"
    product.write_bytes(b"DATA!")
    assert not downloads.complete(obs, BOTH, SERVICE), "another size"
    assert downloads.complete(obs, RAW, SERVICE), "the raw files are whole"
    product.write_bytes(b"data")
    os.utime(product, ns=(1, 1))
    assert not downloads.complete(obs, BOTH, SERVICE), "another time"
    product.unlink()
    assert not downloads.complete(obs, BOTH, SERVICE), "gone"


def test_wishes_add_up(downloads):
    obs = "1"
    downloads.record_observation(obs, RAW, "complete", SERVICE).result()
    assert not downloads.complete(obs, BOTH, SERVICE)
    products = Want(raw=False, instruments=("PN",))
    downloads.record_observation(obs, products, "partial", SERVICE, "503 from the archive").result()
    assert downloads.complete(obs, RAW, SERVICE)
    assert not downloads.complete(obs, BOTH, SERVICE)
    assert downloads.observation(obs).cause == "503 from the archive"
    downloads.record_observation(obs, products, "complete", SERVICE).result()
    assert downloads.complete(obs, BOTH, SERVICE)
    downloads.record_observation(obs, Want(instruments=("M1",)), "complete", SERVICE).result()
    assert downloads.complete(obs, Want(instruments=("M1", "PN")), SERVICE)
    downloads.record_observation(obs, Want(), "complete", SERVICE).result()
    assert downloads.complete(obs, Want(instruments=("M2",)), SERVICE), "all instruments hold any"
    downloads.record_observation(obs, RAW, "complete", "http://new").result()
    assert not downloads.complete(obs, BOTH, "http://new"), "a new address begins anew"


def test_absent_is_not_complete(downloads):
    downloads.record_observation("1", BOTH, "absent", SERVICE, "no files here").result()
    assert not downloads.complete("1", BOTH, SERVICE)
    entry = downloads.observation("1")
    assert (entry.state, entry.cause, entry.service) == ("absent", "no files here", SERVICE)
    assert [one.obs_id for one in downloads.observations()] == ["1"]


def test_forget(downloads, fetched, directory):
    downloads.record_file(fetched(path="a"), fetched(path="b"), fetched(obs_id="2", path="a")).result()
    downloads.record_observation("0404910601", BOTH, "complete", SERVICE).result()
    downloads.forget("0404910601", ["a"]).result()
    assert [one.path for one in downloads.files("0404910601")] == ["b"]
    downloads.forget("0404910601").result()
    assert downloads.observation("0404910601") is None
    assert [one.obs_id for one in downloads.files()] == ["2"]
    assert (directory / "0404910601" / "a").exists()


@pytest.mark.anyio
async def test_awaited(downloads, fetched):
    await downloads.record_file(fetched())
    await downloads.record_observation("0404910601", RAW, "complete", SERVICE)
    assert downloads.complete("0404910601", RAW, SERVICE)


def test_opening_for_reading_makes_nothing(directory):
    assert not DownloadRecord.exists(directory)
    with pytest.raises(ArchiveNotFoundError):
        DownloadRecord.open(directory, create=False)
    assert not directory.exists()


def test_damaged_record(directory):
    directory.mkdir()
    (directory / ".downloads.sqlite").write_bytes(b"garbage" * 1000)
    with pytest.raises(DamagedRecordError):
        DownloadRecord.open(directory)


def write_many(directory, letter):
    with DownloadRecord.open(directory) as downloads:
        for number in range(100):
            obs_id = f"{letter}{number}"
            downloads.record_file(
                FileEntry(obs_id=obs_id, path="a", url="u", size=1, sha256="0", mtime_ns=1, service=SERVICE)
            )
            downloads.record_observation(obs_id, BOTH, "complete", SERVICE).result()


def test_processes_share_it(directory):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=write_many, args=(directory, letter)) for letter in "abcd"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    with DownloadRecord.open(directory) as downloads:
        assert len(downloads.files()) == 400
        assert len(downloads.observations()) == 400
